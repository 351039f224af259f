// Package strictjson looks at JSON more strictly than encoding/json does.
package strictjson

import (
	"bytes"
	"encoding/json"
)

// RepeatsMember reports whether an object somewhere in a valid JSON text has two members of one name. Readers differ in
// which of the two they believe, so what a proxy judged may not be what is done.
func RepeatsMember(text []byte) bool {
	_, isRepeated := RepeatedMember(text)
	return isRepeated
}

// RepeatedMember is the first name that RepeatsMember finds twice.
func RepeatedMember(text []byte) (name string, isRepeated bool) {
	decoder := json.NewDecoder(bytes.NewReader(text))
	decoder.UseNumber()
	var around []*level
	for {
		token, err := decoder.Token()
		if err != nil {
			return "", false // the end, or a text that is not valid
		}
		var here *level
		if len(around) > 0 {
			here = around[len(around)-1]
		}
		switch token {
		case json.Delim('}'), json.Delim(']'):
			around = around[:len(around)-1]
			continue
		}
		if here != nil && here.repeats(token) {
			name, _ = token.(string)
			return name, true
		}
		switch token {
		case json.Delim('{'):
			around = append(around, &level{names: map[string]bool{}, expectsName: true})
		case json.Delim('['):
			around = append(around, &level{})
		}
	}
}

// level is an object or an array that is being read.
type level struct {
	names       map[string]bool // null: an array
	expectsName bool
}

// repeats notes the next name or value, and reports whether it is a name that was there before.
func (l *level) repeats(token json.Token) bool {
	if l.names == nil {
		return false
	}
	if !l.expectsName {
		l.expectsName = true
		return false
	}
	name, _ := token.(string)
	if l.names[name] {
		return true
	}
	l.names[name], l.expectsName = true, false
	return false
}
