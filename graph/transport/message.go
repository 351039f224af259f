package transport

import (
	"context"
	"encoding/json"
	"errors"

	"github.com/keywright/keywright/internal/strictjson"
)

// Message types of graphql-transport-ws.
const (
	typeConnectionInit = "connection_init"
	typeConnectionAck  = "connection_ack"
	typePing           = "ping"
	typePong           = "pong"
	typeSubscribe      = "subscribe"
	typeNext           = "next"
	typeError          = "error"
	typeComplete       = "complete"
)

// maxOperationID is the longest operation id, in bytes: short enough to be named in a close reason. Clients use a UUID
// or a counter.
const maxOperationID = 64

// message is one message of the protocol, in either direction.
type message struct {
	ID      string          `json:"id,omitempty"`
	Type    string          `json:"type"`
	Payload json.RawMessage `json:"payload,omitempty"`
}

// encode writes the message. The payload is JSON already; to marshal it with the rest would read all of it once more.
func (m message) encode() ([]byte, error) {
	payload := m.Payload
	m.Payload = nil
	raw, err := json.Marshal(m)
	if err != nil || len(payload) == 0 {
		return raw, err
	}
	raw = append(raw[:len(raw)-1], `,"payload":`...)
	raw = append(raw, payload...)
	return append(raw, '}'), nil
}

// decodeMessage reads a client's message and checks its envelope.
func decodeMessage(raw []byte) (message, error) {
	var m message
	if err := json.Unmarshal(raw, &m); err != nil || strictjson.RepeatsMember(raw) {
		return message{}, badMessage("invalid message")
	}
	switch m.Type {
	case typeConnectionInit, typePing, typePong:
		return m, nil
	case typeSubscribe, typeComplete:
		if m.ID == "" || len(m.ID) > maxOperationID {
			return message{}, badMessage("invalid operation id")
		}
		return m, nil
	}
	return message{}, badMessage("unexpected message type")
}

// object reads a payload that must be a JSON object, null or absent.
func (m message) object() (map[string]any, error) {
	var payload map[string]any
	if !decodeField(m.Payload, &payload) {
		return nil, badMessage("payload must be an object")
	}
	return payload, nil
}

// Close codes of graphql-transport-ws, and the two of RFC 6455 used here.
const (
	closeGoingAway       = 1001
	closeProtocolError   = 1002
	closeTooBig          = 1009
	closeBadRequest      = 4400
	closeUnauthorized    = 4401
	closeForbidden       = 4403
	closeBadSubprotocol  = 4406
	closeInitTimeout     = 4408
	closeDuplicateID     = 4409
	closeTooManyInits    = 4429
	closeInternal        = 4500
	firstApplicationCode = 3000
	lastApplicationCode  = 4999
)

// closure is why a socket ends: the code and reason of its close frame.
type closure struct {
	code   int
	reason string
}

func (c closure) Error() string { return c.reason }

func badMessage(reason string) error { return closure{closeBadRequest, reason} }

// maxCloseReason is what fits a close frame, in bytes.
const maxCloseReason = 123

var goingAway = closure{closeGoingAway, "server is shutting down"}

// closureFor translates an error of Init, or the cause that ended its context, into a close frame. The text of an
// error stays private unless it offers a CloseReason.
func closureFor(cause error) closure {
	if own, ok := errors.AsType[closure](cause); ok {
		return own
	}
	result := closure{closeForbidden, "Forbidden"}
	if errors.Is(cause, context.DeadlineExceeded) {
		result = closure{closeUnauthorized, "Unauthorized"}
	}
	if coded, ok := errors.AsType[closeCoder](cause); ok {
		if code := coded.CloseCode(); code >= firstApplicationCode && code <= lastApplicationCode {
			result = closure{code, standardReasons[code]}
		}
	}
	if reasoned, ok := errors.AsType[closeReasoner](cause); ok && len(reasoned.CloseReason()) <= maxCloseReason {
		result.reason = reasoned.CloseReason()
	}
	return result
}

type closeCoder interface {
	error
	CloseCode() int
}

type closeReasoner interface {
	error
	CloseReason() string
}

var standardReasons = map[int]string{closeUnauthorized: "Unauthorized", closeForbidden: "Forbidden"}
