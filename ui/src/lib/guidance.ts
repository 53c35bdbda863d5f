// What to do next, as the server says it in words, with the pages that it names as links.

export interface Words {
  text: string;
  /** Where it leads; "": nowhere. */
  href: string;
}

// Names as they stand in the menu.
const pages: [RegExp, string][] = [
  [/\b(?:the )?Quarantine page\b/, '/quarantine'],
  [/\b(?:the )?Quality page\b/, '/quality'],
  [/\b(?:the )?Incidents page\b/, '/incidents'],
  [/\b(?:the )?Deliveries page\b/, '/deliveries'],
  [/\b(?:the )?Plan page\b/, '/plan'],
  [/\b(?:the |your )?tracking plan\b/, '/plan'],
  [/\b(?:the )?lineage\b/i, '/lineage'],
];

/** The text in parts; each page is linked where it is named first. ways lead closer than the pages themselves. */
export function guidance(text: string, ways: Record<string, string> = {}): Words[] {
  const linked = new Set<string>();
  const out: Words[] = [];
  let rest = text;
  for (;;) {
    const next = pages
      .filter(([, href]) => !linked.has(href))
      .map(([name, href]) => ({ href, found: name.exec(rest) }))
      .filter((x) => x.found)
      .sort((a, b) => a.found!.index - b.found!.index)[0];
    if (!next) break;
    const { index, 0: name } = next.found!;
    if (index > 0) out.push({ text: rest.slice(0, index), href: '' });
    out.push({ text: name, href: ways[next.href] ?? next.href });
    linked.add(next.href);
    rest = rest.slice(index + name.length);
  }
  if (rest) out.push({ text: rest, href: '' });
  return out;
}
