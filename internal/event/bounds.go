package event

import "strconv"

// size is the event's length as text, with what its batch gives to it.
func (e *Event) size() int {
	n := len(e.Doc.Raw(e.Root))
	if e.BatchContext >= 0 {
		n += len(e.Doc.Raw(e.BatchContext))
	}
	if e.BatchIntegrations >= 0 {
		n += len(e.Doc.Raw(e.BatchIntegrations))
	}
	return n
}

func tooLarge(size, most int, severity Severity) Violation {
	return Violation{Code: TooLarge, Expected: "at most " + strconv.Itoa(most) + " bytes", Got: strconv.Itoa(size) + " bytes", Severity: severity}
}

// cutDown shortens what would be written of an event that the log cannot take whole.
func (e *Event) cutDown() {
	e.cut = true
	if e.badTime != 0 && len(e.Doc.Raw(e.badTime)) > MaxIDBytes {
		e.badTime = 0
	}
	for _, id := range []*[]byte{&e.MessageID, &e.UserID, &e.AnonymousID, &e.GroupID, &e.PreviousID, &e.Name} {
		if len(*id) > MaxIDBytes {
			*id = []byte(clip(*id))
		}
	}
}

// dropOverridden leaves out misshapen reserved members, kept among the extras, whose place another took: a duplicate with
// the right shape, or the batch's id. The canonical text has no reserved name twice.
func (e *Event) dropOverridden() {
	kept := e.extras[:0]
	for _, i := range e.extras {
		taken := false
		switch string(e.Doc.Bytes(int(i) - 1)) {
		case "messageId":
			taken = len(e.MessageID) > 0
		case "userId":
			taken = len(e.UserID) > 0
		case "anonymousId":
			taken = len(e.AnonymousID) > 0
		case "groupId":
			taken = len(e.GroupID) > 0
		case "previousId":
			taken = len(e.PreviousID) > 0
		case "properties":
			taken = e.Properties >= 0
		case "traits":
			taken = e.Traits >= 0
		case "context":
			taken = e.Context >= 0 || e.BatchContext >= 0
		case "integrations":
			taken = e.Integrations >= 0 || e.BatchIntegrations >= 0
		}
		if !taken {
			kept = append(kept, i)
		}
	}
	e.extras = kept
}
