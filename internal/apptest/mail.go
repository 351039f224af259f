package apptest

import (
	"errors"
	"io"
	"mime"
	"mime/multipart"
	"mime/quotedprintable"
	"net/mail"
	"strings"
	"testing"
)

// Letter is a mail as its reader sees it.
type Letter struct {
	Header     mail.Header
	Subject    string
	Text, HTML string
}

// ReadLetter reads a mail: its subject, its text and its HTML.
func ReadLetter(tb testing.TB, data string) Letter {
	tb.Helper()
	message, err := mail.ReadMessage(strings.NewReader(data))
	if err != nil {
		tb.Fatalf("not a mail: %v\n%s", err, data)
	}
	subject, err := new(mime.WordDecoder).DecodeHeader(message.Header.Get("Subject"))
	if err != nil {
		tb.Fatal(err)
	}
	letter := Letter{Header: message.Header, Subject: subject}
	kind, parameters, err := mime.ParseMediaType(message.Header.Get("Content-Type"))
	if err != nil || kind != "multipart/alternative" {
		tb.Fatalf("the mail is %q (%v)", kind, err)
	}
	for parts := multipart.NewReader(message.Body, parameters["boundary"]); ; {
		part, err := parts.NextRawPart()
		if errors.Is(err, io.EOF) {
			return letter
		}
		if err != nil {
			tb.Fatal(err)
		}
		text, err := io.ReadAll(quotedprintable.NewReader(part))
		if err != nil {
			tb.Fatal(err)
		}
		if strings.HasPrefix(part.Header.Get("Content-Type"), "text/html") {
			letter.HTML = string(text)
		} else {
			letter.Text = string(text)
		}
	}
}
