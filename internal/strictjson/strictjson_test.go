package strictjson_test

import (
	"testing"

	"github.com/keywright/keywright/internal/strictjson"
)

func TestRepeatsMember_FindsTwoMembersOfOneNameInOneObject(t *testing.T) {
	for text, want := range map[string]bool{
		`{"a":1,"a":2}`: true, `{"a":1,"\u0061":2}`: true, `{"x":{"a":1,"b":[{"c":1,"c":1}]}}`: true, `[{},{"a":[],"b":{},"a":{}}]`: true,
		`{"a":"a","b":"a"}`: false, `{"a":{"a":{"a":1}}}`: false, `[{"a":1},{"a":2}]`: false, `{"a":["a","a"],"b":"b"}`: false,
		`["a","a"]`: false, `"a"`: false, `null`: false, ``: false, `{"a":1,"A":2}`: false,
	} {
		if got := strictjson.RepeatsMember([]byte(text)); got != want {
			t.Errorf("%s: %v, want %v", text, got, want)
		}
	}
}
