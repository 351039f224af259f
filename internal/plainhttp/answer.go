package plainhttp

import (
	"net/http"
	"strconv"
	"strings"
	"sync/atomic"
	"time"
)

// answer is what the handler writes. It is sent when the handler is done.
type answer struct {
	header http.Header
	status int
	body   []byte
	out    []byte // all of it as it is sent
}

// newAnswer is an empty answer. Its memory is shared by all connections, of which few answer at the same time.
func (s *Server) newAnswer() *answer {
	if kept, ok := s.answers.Get().(*answer); ok {
		return kept
	}
	return &answer{header: http.Header{}}
}

// keep makes room for another answer, unless this one was uncommonly large.
func (s *Server) keep(a *answer) {
	if cap(a.out) <= maxKept {
		clear(a.header)
		a.status, a.body, a.out = 0, a.body[:0], a.out[:0]
		s.answers.Put(a)
	}
}

// Header implements http.ResponseWriter.
func (a *answer) Header() http.Header { return a.header }

// WriteHeader implements http.ResponseWriter.
func (a *answer) WriteHeader(status int) {
	if a.status == 0 {
		a.status = status
	}
}

// Write implements http.ResponseWriter.
func (a *answer) Write(part []byte) (int, error) {
	a.WriteHeader(http.StatusOK)
	a.body = append(a.body, part...)
	return len(part), nil
}

// WriteString implements io.StringWriter.
func (a *answer) WriteString(part string) (int, error) {
	a.WriteHeader(http.StatusOK)
	a.body = append(a.body, part...)
	return len(part), nil
}

// write makes of the answer what is sent, in the form of RFC 9112.
func (a *answer) write(date string, isClose, isHead bool) {
	a.WriteHeader(http.StatusOK)
	out := append(a.out, "HTTP/1.1 "...)
	out = strconv.AppendInt(out, int64(a.status), 10)
	out = append(out, ' ')
	out = append(out, http.StatusText(a.status)...)
	out = append(out, "\r\nDate: "...)
	out = append(out, date...)
	for name, values := range a.header {
		switch name {
		case "Connection", "Content-Length", "Date", "Transfer-Encoding":
			continue
		}
		for _, value := range values {
			out = append(out, "\r\n"...)
			out = append(out, name...)
			out = append(out, ": "...)
			out = append(out, oneLine(value)...)
		}
	}
	out = append(out, "\r\nContent-Length: "...)
	out = strconv.AppendInt(out, int64(len(a.body)), 10)
	if isClose {
		out = append(out, "\r\nConnection: close"...)
	}
	out = append(out, "\r\n\r\n"...)
	if !isHead {
		out = append(out, a.body...)
	}
	a.out = out
}

var lineEnds = strings.NewReplacer("\r", " ", "\n", " ")

// oneLine keeps a value from ending its field.
func oneLine(value string) string {
	if strings.IndexByte(value, '\n') < 0 && strings.IndexByte(value, '\r') < 0 {
		return value
	}
	return lineEnds.Replace(value)
}

// dates writes the time as the Date field has it (RFC 9110, section 6.6.1), once a second.
type dates struct{ last atomic.Pointer[dated] }

type dated struct {
	second int64
	text   string
}

func (d *dates) at(now time.Time) string {
	last := d.last.Load()
	if second := now.Unix(); last == nil || last.second != second {
		last = &dated{second, now.UTC().Format(http.TimeFormat)}
		d.last.Store(last)
	}
	return last.text
}
