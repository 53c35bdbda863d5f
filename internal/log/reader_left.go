package log

// Left is how many records of the chunk follow a cursor, most at the most; some may lie before From.
func (c *Chunk) Left(cur Cursor, most int) int {
	n, at := 0, cur.section
	if cur.open {
		n, at = int(cur.left), at+1
	}
	for ; at < len(c.sections) && n < most; at++ {
		n += int(c.sections[at].count)
	}
	return min(n, most)
}
