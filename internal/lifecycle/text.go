package lifecycle

import (
	"fmt"
	"strings"
	"unicode"
	"unicode/utf8"
)

// Longest texts, in characters.
const (
	MaxNameLength        = 200
	MaxDescriptionLength = 4000
	MaxCommentLength     = 1000
	MaxSlugLength        = 40
	MaxLabels            = 50
)

// CheckName refuses names that are empty, too long, or hold characters that people cannot see.
func CheckName(name string, path ...string) *Refusal {
	if !strings.ContainsFunc(name, isVisible) && utf8.ValidString(name) {
		return Required("a name is needed", path...)
	}
	if utf8.ValidString(name) && name != strings.TrimSpace(name) {
		return Invalid("must not begin or end with white space", path...)
	}
	if err := CheckText(name, MaxNameLength, path...); err != nil {
		return err
	}
	if strings.ContainsAny(name, "\n\r\t\u2028\u2029") {
		return Invalid("must stand on one line", path...)
	}
	return nil
}

func isVisible(r rune) bool { return unicode.IsGraphic(r) && !unicode.IsSpace(r) }

// CheckText refuses texts that are too long, not UTF-8, or hold control characters other than
// line breaks and tabs.
func CheckText(text string, limit int, path ...string) *Refusal {
	if !utf8.ValidString(text) {
		return Invalid("is not valid UTF-8", path...)
	}
	if n := utf8.RuneCountInString(text); n > limit {
		return &Refusal{Code: CodeTooLong, Message: fmt.Sprintf("has %d characters; at most %d are allowed", n, limit), Path: path}
	}
	for _, r := range text {
		if r != '\n' && r != '\r' && r != '\t' && (unicode.IsControl(r) || unicode.Is(unicode.Bidi_Control, r)) {
			return Invalid(fmt.Sprintf("holds the control character U+%04X", r), path...)
		}
	}
	return nil
}

// CheckSlug refuses short names that do not fit into a URL.
func CheckSlug(slug string, path ...string) *Refusal {
	if slug == "" {
		return Required("a short name is needed", path...)
	}
	if len(slug) > MaxSlugLength {
		return &Refusal{Code: CodeTooLong, Message: fmt.Sprintf("at most %d characters are allowed", MaxSlugLength), Path: path}
	}
	for i, r := range slug {
		letter, digit := r >= 'a' && r <= 'z', r >= '0' && r <= '9'
		if !letter && (i == 0 || !digit && (r != '-' || i == len(slug)-1)) {
			return Invalid("must be lower-case letters, digits and inner hyphens, a letter first", path...)
		}
	}
	return nil
}

// CheckLabels refuses labels without a name, named twice, or too many.
func CheckLabels(labels []Label, path ...string) *Refusal {
	if len(labels) > MaxLabels {
		return &Refusal{Code: CodeTooLong, Message: fmt.Sprintf("at most %d labels are allowed", MaxLabels), Path: path}
	}
	seen := map[string]bool{}
	for i, l := range labels {
		at := append(append([]string{}, path...), fmt.Sprint(i))
		if err := CheckName(l.Name, append(at, "name")...); err != nil {
			return err
		}
		if err := CheckText(l.Value, MaxNameLength, append(at, "value")...); err != nil {
			return err
		}
		if seen[l.Name] {
			return Invalid(fmt.Sprintf("label %q stands twice", l.Name), append(at, "name")...)
		}
		seen[l.Name] = true
	}
	return nil
}
