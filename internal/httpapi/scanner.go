package httpapi

// scanner reads what nearly all bodies are: texts of printable ASCII without escapes. It accepts nothing that
// decodeQuestions would not read in the same way; whatever is out of the ordinary it leaves to that. It makes no
// copies: what it reads is part of the text.
type scanner struct {
	text string
	at   int
}

// scanQuestions appends the questions of a body to list. isScanned is false when there is something out of the ordinary.
func scanQuestions(text string, list []question) (questions []question, isList, isScanned bool) {
	s := scanner{text: text}
	if isList = s.takes('['); !isList {
		list = append(list, question{})
		return list, false, s.object(&list[0]) && s.ends()
	}
	for len(list) < maxBatch {
		list = append(list, question{})
		if !s.object(&list[len(list)-1]) {
			break
		}
		if !s.takes(',') {
			return list, true, s.takes(']') && s.ends()
		}
	}
	return list, true, false
}

func (s *scanner) space() {
	for s.at < len(s.text) && (s.text[s.at] == ' ' || s.text[s.at] == '\n' || s.text[s.at] == '\t' || s.text[s.at] == '\r') {
		s.at++
	}
}

// takes goes past the character if it is the next one.
func (s *scanner) takes(c byte) bool {
	s.space()
	if s.at < len(s.text) && s.text[s.at] == c {
		s.at++
		return true
	}
	return false
}

func (s *scanner) ends() bool {
	s.space()
	return s.at == len(s.text)
}

func (s *scanner) string() (string, bool) {
	if !s.takes('"') {
		return "", false
	}
	rest := s.text[s.at:]
	for i := range len(rest) {
		if isPlain[rest[i]] {
			continue
		}
		s.at += i + 1
		return rest[:i], rest[i] == '"'
	}
	return "", false
}

// object reads one question. A member that stands twice, and one that is empty, is out of the ordinary.
func (s *scanner) object(q *question) bool {
	if !s.takes('{') {
		return false
	}
	for {
		name, ok := s.string()
		if !ok || !s.takes(':') {
			return false
		}
		if name == "scopes" {
			ok = len(q.scopes) == 0 && s.strings(&q.scopes)
		} else {
			member := q.member(name)
			if member == nil || *member != "" {
				return false
			}
			*member, ok = s.string()
			ok = ok && *member != ""
		}
		switch {
		case !ok:
			return false
		case s.takes('}'):
			return true
		case !s.takes(','):
			return false
		}
	}
}

func (s *scanner) strings(list *[]string) bool {
	if !s.takes('[') {
		return false
	}
	for {
		value, ok := s.string()
		if !ok {
			return false
		}
		*list = append(*list, value)
		if !s.takes(',') {
			return s.takes(']')
		}
	}
}
