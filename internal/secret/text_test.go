package secret_test

import (
	"bytes"
	"encoding/gob"
	"encoding/json"
	"encoding/xml"
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"testing"

	"gopkg.in/yaml.v3"

	"github.com/keywright/keywright/internal/secret"
)

// holder has its secrets where fmt calls no methods: in unexported fields.
type holder struct {
	text       secret.Text
	credential secret.Credential
	pointer    *secret.Text
	list       []secret.Text
	byName     map[string]secret.Credential
	ring       *secret.Keyring
}

// Exported has its secrets where encoders look.
type Exported struct {
	Text       secret.Text
	Pointer    *secret.Text
	Credential secret.Credential
}

func TestR31_SecretsCannotBePrintedOrEncoded(t *testing.T) {
	credential := goldenCredential(t)
	text := credential.Whole()
	part := credential.SecretPart()
	inside := holder{
		text, credential, &part,
		[]secret.Text{text, part},
		map[string]secret.Credential{"k": credential},
		goldenKeyring(t),
	}
	outside := Exported{text, &part, credential}

	var printed bytes.Buffer
	values := []any{text, &text, part, credential, &credential, inside, &inside, outside, &outside, []any{text, part}, goldenKeyring(t), *goldenKeyring(t)}
	for _, value := range values {
		for _, verb := range []string{"%v", "%+v", "%#v", "%s", "%q", "%x", "%X", "%d", "%T", "%p", "%10.3s", "%t", "%e", "%c", "%w"} {
			fmt.Fprintf(&printed, verb+"\n", value)
		}
		fmt.Fprintln(&printed, value)
		fmt.Fprintln(&printed, fmt.Errorf("failed with %v: %w", value, errors.Join(fmt.Errorf("%+v", value))))
		for _, handler := range []slog.Handler{slog.NewTextHandler(&printed, nil), slog.NewJSONHandler(&printed, nil)} {
			slog.New(handler).Info("a line", "value", value, slog.Group("group", "value", value))
		}
		encode(t, &printed, value)
	}

	whole := text.Reveal()
	for _, leak := range []string{whole, part.Reveal(), whole[20:52], fmt.Sprintf("%x", whole[20:52]), fmt.Sprintf("%X", whole[20:52])} {
		if strings.Contains(printed.String(), leak) {
			t.Errorf("%q came out", leak)
		}
	}
	if !strings.Contains(printed.String(), credential.PublicID()+"_[secret]") {
		t.Error("the public id of a credential is not shown")
	}
}

func encode(t *testing.T, out *bytes.Buffer, value any) {
	t.Helper()
	encoded, err := json.Marshal(value)
	if err != nil {
		t.Errorf("json: %v", err)
	}
	out.Write(encoded)
	if encoded, err = yaml.Marshal(value); err != nil {
		t.Errorf("yaml: %v", err)
	}
	out.Write(encoded)
	if _, ok := value.(Exported); ok {
		if encoded, err = xml.Marshal(value); err != nil {
			t.Errorf("xml: %v", err)
		}
		out.Write(encoded)
		// gob refuses a type it finds nothing exported in; what it writes until then counts.
		_ = gob.NewEncoder(out).Encode(value)
	}
}

func TestText_EveryDoorButRevealSaysSecret(t *testing.T) {
	text := secret.NewText("open sesame")
	asJSON, _ := text.MarshalJSON()
	asText, _ := text.MarshalText()
	for door, got := range map[string]string{
		"String": text.String(), "GoString": text.GoString(), "LogValue": text.LogValue().String(),
		"MarshalText": string(asText), "MarshalJSON": strings.Trim(string(asJSON), `"`), "%x": fmt.Sprintf("%x", text),
	} {
		if got != "[secret]" {
			t.Errorf("%s gives %q", door, got)
		}
	}
	for _, verb := range []string{"%v", "%+v", "%#v", "%x", "%d"} {
		if got := fmt.Sprintf(verb, goldenCredential(t)); got != "kw_0123456789ABCDEF_[secret]" {
			t.Errorf("%s of a credential gives %q", verb, got)
		}
		if got := fmt.Sprintf(verb, goldenKeyring(t)); got != "[secret]" {
			t.Errorf("%s of a keyring gives %q", verb, got)
		}
	}
	if text.Reveal() != "open sesame" {
		t.Error("Reveal does not give the secret")
	}
}

func TestD13_ASecretInClearIsNotWrittenToADatabase(t *testing.T) {
	if value, err := secret.NewText("x").Value(); err == nil || value != nil {
		t.Errorf("Text.Value gives %v, %v", value, err)
	}
	if value, err := goldenCredential(t).Value(); err == nil || value != nil {
		t.Errorf("Credential.Value gives %v, %v", value, err)
	}
}

func TestText_ZeroIsTheEmptySecret(t *testing.T) {
	var zero secret.Text
	if zero.Reveal() != "" || !zero.Equal(secret.NewText("")) || zero.String() != "[secret]" {
		t.Error("the zero Text is not the empty secret")
	}
	if zero.Equal(secret.NewText("a")) || !secret.NewText("a").Equal(secret.NewText("a")) || secret.NewText("a").Equal(secret.NewText("b")) {
		t.Error("Equal is wrong")
	}
}
