package live

import (
	"time"

	"github.com/keywright/keywright/internal/lifecycle"
)

// Kind is what a message tells. Its values are those of the schema's StreamMessageKind.
type Kind string

// Values of Kind.
const (
	Checkpoint Kind = "CHECKPOINT" // nothing new up to the cursor
	Data       Kind = "DATA"       // something happened
	End        Kind = "END"        // the stream ends; resume with the cursor
	Gap        Kind = "GAP"        // what lies before the cursor is not available; read the state anew
)

// Reason is why a stream has a gap or ends. Its values are those of the schema's StreamReason.
type Reason string

// Values of Reason.
const (
	AccessLost       Reason = "ACCESS_LOST"
	CredentialEnded  Reason = "CREDENTIAL_ENDED"
	CursorOutOfRange Reason = "CURSOR_OUT_OF_RANGE"
	LogUnavailable   Reason = "LOG_UNAVAILABLE"
	Shutdown         Reason = "SHUTDOWN"
)

// Message is one message of a stream.
type Message struct {
	Kind     Kind
	Cursor   string           // pass it as after to resume behind this message
	Event    *lifecycle.Event // nil unless Kind is Data; shared with other readers, so do not change it
	IsReplay bool             // whether the event was committed before the subscription began
	Reason   Reason           // empty unless Kind is Gap or End
	SentAt   time.Time
}
