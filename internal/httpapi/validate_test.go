package httpapi

import (
	"encoding/json"
	"fmt"
	"reflect"
	"testing"
	"time"

	"github.com/keywright/keywright/internal/lifecycle"
)

// What the scanner reads, the decoder reads in the same way; all else it leaves alone.
func FuzzScanner_ReadsNothingThatTheDecoderReadsOtherwise(f *testing.F) {
	for _, seed := range []string{
		`{"credential":"kw_a_b"}`, `{ "credential" : "a" , "apiId":"api_1","scopes":["x","y"], "ipAddress":"::1"}`, `[{"credential":"a"},{"credential":"b"}]`,
		`{"credential":"a","credential":"b"}`, `{"credential":"\u0061"}`, `{"scopes":[]}`, `{"scopes":["a"],"scopes":["b"]}`, `[]`, `{}`, `[{}]`, `{"credential":""}`,
		`{"credential":null}`, `{"credential":1}`, `{"x":"y"}`, `{"credential":"a"}x`, `{"credential":"a"`, ` [ {"credential":"a"} ] `, `{"credential":"a",}`, "{\"credential\":\"\x7f\"}",
	} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, text string) {
		scanned, isList, isScanned := scanQuestions(text, nil)
		if !isScanned {
			return
		}
		decoded, isDecodedList, err := decodeQuestions([]byte(text))
		if err != nil || isList != isDecodedList || !reflect.DeepEqual(scanned, decoded) {
			t.Fatalf("scanned %+v, decoded %+v (%v)", scanned, decoded, err)
		}
	})
}

func TestAnswers_AreWhatEncodingJSONWouldWrite(t *testing.T) {
	at := time.Date(2026, 11, 21, 12, 0, 0, 123456000, time.UTC)
	facts := lifecycle.Facts{
		KeyID: "key_1", KeySetID: "ks_1", ApplicationID: "app_1", EnvironmentSlug: "dev",
		AuthorizedAPIs: []lifecycle.APIID{"api_1", "api_2"}, Scopes: []string{"read", `"<&>\` + "\x00é\u2028"}, ExpiresAt: &at,
	}
	earlier := at.Add(-time.Hour)
	for _, v := range []lifecycle.Verdict{
		lifecycle.Unknown(),
		{Code: lifecycle.VerdictValid, Facts: &facts},
		{Code: lifecycle.VerdictValid, Facts: &lifecycle.Facts{KeyID: "key_1"}, Quota: &lifecycle.QuotaState{Remaining: 0, ResetsAt: at}},
		{Code: lifecycle.VerdictRevoked, Facts: &facts},
		{Code: lifecycle.VerdictValid, Facts: &facts, EndsIn: 49 * time.Hour},
		{Code: lifecycle.VerdictValid, Facts: &facts, EndsIn: time.Microsecond},
		{Code: lifecycle.VerdictValid, Facts: &lifecycle.Facts{ExpiresAt: &at, RetiresAt: &earlier}},
		{Code: lifecycle.VerdictRateLimited, Facts: &facts, RetryAfter: 1500 * time.Millisecond},
	} {
		want := map[string]any{"isValid": v.IsValid(), "code": string(v.Code)}
		if f := v.Facts; f != nil {
			for name, value := range map[string]string{
				"keyId": string(f.KeyID), "keySetId": string(f.KeySetID), "applicationId": string(f.ApplicationID), "environmentSlug": f.EnvironmentSlug,
			} {
				if value != "" {
					want[name] = value
				}
			}
			if v.IsValid() && len(f.AuthorizedAPIs) > 0 {
				want["authorizedApis"], want["scopes"] = f.AuthorizedAPIs, f.Scopes
			}
			if f.ExpiresAt != nil {
				want["expiresAt"] = f.ExpiresAt
			}
			if f.RetiresAt != nil {
				want["expiresAt"] = f.RetiresAt
			}
		}
		if v.EndsIn > 0 {
			want["expiresInDays"] = int(v.EndsIn.Hours()) / 24
		}
		if v.RetryAfter > 0 {
			want["retryAfter"] = 2
		}
		if v.Quota != nil {
			want["quota"] = map[string]any{"remaining": v.Quota.Remaining, "resetsAt": v.Quota.ResetsAt}
		}
		text, err := json.Marshal(want)
		if err != nil {
			t.Fatal(err)
		}
		var got, wanted any
		if err := json.Unmarshal(appendVerdict(nil, &v), &got); err != nil {
			t.Fatalf("%s: %v", appendVerdict(nil, &v), err)
		}
		if err := json.Unmarshal(text, &wanted); err != nil {
			t.Fatal(err)
		}
		if fmt.Sprint(got) != fmt.Sprint(wanted) {
			t.Errorf("%v\nwant\n%v", got, wanted)
		}
	}
}
