package lifecycle

import (
	"database/sql/driver"
	"fmt"
	"slices"
)

// enum is a closed set of words, the same in graph, code and table; they stand in words_*.go. Reading a word that is not in the set fails, so that an
// unknown status can neither be stored nor be sent to a client as an empty string.
type enum interface {
	~string
	IsValid() bool
}

func scanEnum[E enum](dst *E, src any) error {
	return scanText(src, func(text []byte) error {
		if e := E(text); e.IsValid() {
			*dst = e
			return nil
		}
		return fmt.Errorf("%q is not a %T", text, *dst)
	})
}

func enumValue[E enum](e E) (driver.Value, error) {
	if !e.IsValid() {
		return nil, fmt.Errorf("%q is not a %T", string(e), e)
	}
	return string(e), nil
}

func isOneOf[E ~string](e E, all []E) bool { return slices.Contains(all, e) }
