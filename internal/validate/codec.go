package validate

import (
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/keywright/keywright/internal/lifecycle"
)

// Shared facts are written densely, because there may be millions: what a key has for itself in some sixty bytes, and
// a reference to what it has in common with others (tenant, environment, APIs, scopes, limits), which is an entry of
// its own. The reference is made of the content, so what it refers to never changes.
//
//	0       version of the form
//	1       status of the key set, status of the key: four bits each
//	2       status of the application, authentication type: three bits each; has expiry; has retirement
//	3–50    ids of application, key set and key: 16 bytes each
//	51–58   reference
//	then    expiry and retirement in microseconds since 1970: seven bytes each, if there
//
// Ids of another form than ours are written as JSON instead, which begins with a brace.
const (
	denseForm    = 1
	denseMinimum = 59
	microseconds = 7
)

// reference names what keys have in common.
type reference [8]byte

// digest is where what is referred to is shared.
func (r reference) digest() [32]byte {
	var d [32]byte
	copy(d[:], r[:])
	return d
}

// The codes never change their meaning: nodes of several versions share entries. 0 stands for nothing.
var (
	keySetStatusCodes = []lifecycle.KeySetStatus{
		"", lifecycle.KeySetPending, lifecycle.KeySetActive, lifecycle.KeySetSuspended, lifecycle.KeySetExpired, lifecycle.KeySetRevoked,
	}
	keyStatusCodes = []lifecycle.KeyStatus{
		"", lifecycle.KeyPending, lifecycle.KeyActive, lifecycle.KeySuspended, lifecycle.KeyRetiring, lifecycle.KeyExpired, lifecycle.KeyRevoked,
	}
	applicationStatusCodes = []lifecycle.ApplicationStatus{"", lifecycle.ApplicationActive, lifecycle.ApplicationSuspended}
	authenticationCodes    = []lifecycle.AuthenticationType{
		"", lifecycle.AuthenticationAPIKey, lifecycle.AuthenticationBasic, lifecycle.AuthenticationOAuth2Client,
	}
)

var errForm = errors.New("shared facts have an unknown form")

// inCommon is what the facts of a key share with those of others: all that the dense form does not hold.
func inCommon(f *lifecycle.Facts) ([]byte, error) {
	common := *f
	common.ApplicationID, common.KeySetID, common.KeyID = "", "", ""
	common.ApplicationStatus, common.KeySetStatus, common.KeyStatus, common.Authentication = "", "", "", ""
	common.ExpiresAt, common.RetiresAt = nil, nil
	text, err := json.Marshal(common)
	if err != nil {
		return nil, fmt.Errorf("write what keys have in common: %w", err)
	}
	return text, nil
}

// encode returns the dense form. isDense is false for facts that it cannot hold.
func encode(f *lifecycle.Facts, common reference) (entry []byte, isDense bool) {
	set, key := slices.Index(keySetStatusCodes, f.KeySetStatus), slices.Index(keyStatusCodes, f.KeyStatus)
	app, authentication := slices.Index(applicationStatusCodes, f.ApplicationStatus), slices.Index(authenticationCodes, f.Authentication)
	if min(set, key, app, authentication) < 0 {
		return nil, false
	}
	flags := byte(app)<<5 | byte(authentication)<<2
	entry = make([]byte, 0, denseMinimum+2*microseconds)
	entry = append(entry, denseForm, byte(set)<<4|byte(key), 0)
	for _, id := range []struct {
		kind lifecycle.Kind
		id   string
	}{
		{lifecycle.KindApplication, string(f.ApplicationID)},
		{lifecycle.KindKeySet, string(f.KeySetID)},
		{lifecycle.KindKey, string(f.KeyID)},
	} {
		kind, uuid, err := lifecycle.ParseID(id.id)
		if err != nil || kind != id.kind {
			return nil, false
		}
		entry = append(entry, uuid[:]...)
	}
	entry = append(entry, common[:]...)
	for i, at := range []*time.Time{f.ExpiresAt, f.RetiresAt} {
		if at == nil {
			continue
		}
		micros := at.UnixMicro()
		if micros < 0 || micros >= 1<<(8*microseconds) || !time.UnixMicro(micros).Equal(*at) {
			return nil, false
		}
		flags |= 1 << i
		entry = append(entry, binary.BigEndian.AppendUint64(nil, uint64(micros))[8-microseconds:]...)
	}
	entry[2] = flags
	return entry, true
}

// referenceOf returns what a dense entry refers to.
func referenceOf(entry []byte) (reference, error) {
	if len(entry) < denseMinimum || entry[0] != denseForm {
		return reference{}, errForm
	}
	return reference(entry[51:denseMinimum]), nil
}

// decode is the inverse of encode.
func decode(entry []byte, common *lifecycle.Facts) (*lifecycle.Facts, error) {
	if _, err := referenceOf(entry); err != nil {
		return nil, err
	}
	f := *common
	set, key, app, authentication := int(entry[1]>>4), int(entry[1]&15), int(entry[2]>>5), int(entry[2]>>2&7)
	if set >= len(keySetStatusCodes) || key >= len(keyStatusCodes) || app >= len(applicationStatusCodes) || authentication >= len(authenticationCodes) {
		return nil, errForm
	}
	f.KeySetStatus, f.KeyStatus = keySetStatusCodes[set], keyStatusCodes[key]
	f.ApplicationStatus, f.Authentication = applicationStatusCodes[app], authenticationCodes[authentication]
	f.ApplicationID = lifecycle.ApplicationID(lifecycle.FormatID(lifecycle.KindApplication, [16]byte(entry[3:19])))
	f.KeySetID = lifecycle.KeySetID(lifecycle.FormatID(lifecycle.KindKeySet, [16]byte(entry[19:35])))
	f.KeyID = lifecycle.KeyID(lifecycle.FormatID(lifecycle.KindKey, [16]byte(entry[35:51])))
	rest := entry[denseMinimum:]
	for i, at := range []**time.Time{&f.ExpiresAt, &f.RetiresAt} {
		if entry[2]&(1<<i) == 0 {
			continue
		}
		if len(rest) < microseconds {
			return nil, errForm
		}
		var micros [8]byte
		copy(micros[8-microseconds:], rest)
		instant := time.UnixMicro(int64(binary.BigEndian.Uint64(micros[:]))).UTC() //nolint:gosec // 56 bits
		*at, rest = &instant, rest[microseconds:]
	}
	if len(rest) != 0 {
		return nil, errForm
	}
	return &f, nil
}
