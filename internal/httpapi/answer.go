package httpapi

import (
	"cmp"
	"encoding/json"
	"net/http"
	"strconv"
	"strings"
	"time"

	"github.com/keywright/keywright/internal/authorize"
	"github.com/keywright/keywright/internal/lifecycle"
)

// appendVerdict appends a verdict as JSON. Members that do not apply are left out; APIs and scopes are said of a valid
// key only.
//
//	isValid code keyId keySetId applicationId environmentSlug authorizedApis scopes expiresAt expiresInDays retryAfter quota
func appendVerdict(b []byte, v *lifecycle.Verdict) []byte {
	b = append(b, `{"isValid":`...)
	b = strconv.AppendBool(b, v.IsValid())
	b = appendMember(b, "code", string(v.Code))
	if f := v.Facts; f != nil {
		b = appendMember(b, "keyId", string(f.KeyID))
		b = appendMember(b, "keySetId", string(f.KeySetID))
		b = appendMember(b, "applicationId", string(f.ApplicationID))
		b = appendMember(b, "environmentSlug", f.EnvironmentSlug)
		if v.IsValid() {
			b = appendList(b, "authorizedApis", f.AuthorizedAPIs)
			b = appendList(b, "scopes", f.Scopes)
		}
		if end := f.EndsAt(); end != nil {
			b = append(b, `,"expiresAt":"`...)
			b = end.AppendFormat(b, time.RFC3339Nano)
			b = append(b, '"')
		}
		if days, isSoon := v.EndsInDays(); isSoon {
			b = append(b, `,"expiresInDays":`...)
			b = strconv.AppendInt(b, int64(days), 10)
		}
	}
	if v.RetryAfter > 0 {
		b = append(b, `,"retryAfter":`...)
		b = strconv.AppendInt(b, int64(v.RetrySeconds()), 10)
	}
	if v.Quota != nil {
		b = append(b, `,"quota":{"remaining":`...)
		b = strconv.AppendInt(b, int64(v.Quota.Remaining), 10)
		b = append(b, `,"resetsAt":"`...)
		b = v.Quota.ResetsAt.UTC().AppendFormat(b, time.RFC3339Nano)
		b = append(b, `"}`...)
	}
	return append(b, '}')
}

func appendMember(b []byte, name, value string) []byte {
	if value == "" {
		return b
	}
	b = append(b, ',', '"')
	b = append(b, name...)
	b = append(b, '"', ':')
	return appendText(b, value)
}

func appendList[T ~string](b []byte, name string, values []T) []byte {
	if len(values) == 0 {
		return b
	}
	b = append(b, ',', '"')
	b = append(b, name...)
	b = append(b, '"', ':')
	for i, value := range values {
		separator := byte(',')
		if i == 0 {
			separator = '['
		}
		b = appendText(append(b, separator), string(value))
	}
	return append(b, ']')
}

// isPlain tells of each character whether it stands for itself in a JSON string, also inside of HTML.
var isPlain = func() (is [256]bool) {
	for c := ' '; c <= '~'; c++ {
		is[c] = !strings.ContainsRune(`"\<>&`, c)
	}
	return is
}()

// appendText appends a JSON string. Nearly all are of characters that stand for themselves.
func appendText(b []byte, text string) []byte {
	for i := range len(text) {
		if !isPlain[text[i]] {
			quoted, _ := json.Marshal(text) // of a string: cannot fail
			return append(b, quoted...)
		}
	}
	b = append(b, '"')
	b = append(b, text...)
	return append(b, '"')
}

// WriteError answers with {"error": {"code", "message", "requestId"}}.
func WriteError(w http.ResponseWriter, status int, code, message, requestID string) {
	writeJSON(w, status, map[string]any{"error": map[string]string{"code": code, "message": message, "requestId": requestID}})
}

// RefuseUnread answers a request that could not be read, so that nobody knows what it asks for or who asks: the same
// whatever the address. A gateway is told the reason in the header where [Authorize] tells it.
func RefuseUnread(w http.ResponseWriter, status int, why string) {
	header := w.Header()
	header["Cache-Control"], header["X-Content-Type-Options"] = headerNoStore, headerNoSniff
	switch status {
	case http.StatusRequestHeaderFieldsTooLarge:
		header["Content-Type"] = headerJSON
		header[authorize.ReasonHeader] = []string{string(authorize.HeadersTooLarge)}
		w.WriteHeader(status)
		_, _ = w.Write([]byte(authorize.TooLarge.Body())) // a client that went away needs no answer
	case http.StatusNotImplemented:
		WriteError(w, status, "NOT_IMPLEMENTED", "the body is encoded in a way that is not known here", newRequestID())
	case http.StatusHTTPVersionNotSupported:
		WriteError(w, status, "HTTP_VERSION_NOT_SUPPORTED", "this version of HTTP is not spoken here", newRequestID())
	default:
		WriteError(w, status, "BAD_REQUEST", cmp.Or(why, "the request is malformed"), newRequestID())
	}
}

func writeJSON(w http.ResponseWriter, status int, body any) {
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(status)
	_ = json.NewEncoder(w).Encode(body) // a client that went away needs no answer
}
