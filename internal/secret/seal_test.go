package secret_test

import (
	"bytes"
	"errors"
	"strings"
	"testing"

	"pgregory.net/rapid"

	"github.com/keywright/keywright/internal/secret"
)

var here = []byte("tn_1/key_1")

func seal(t testing.TB, ring *secret.Keyring, text string) secret.Sealed {
	t.Helper()
	sealed, err := ring.Seal(secret.NewText(text), here)
	if err != nil {
		t.Fatal(err)
	}
	return sealed
}

func TestSeal_OpensToWhatWasSealed(t *testing.T) {
	ring := goldenKeyring(t)
	rapid.Check(t, func(t *rapid.T) {
		text := secret.NewText(rapid.String().Draw(t, "text"))
		context := rapid.SliceOfN(rapid.Byte(), 1, 80).Draw(t, "context")
		sealed, err := ring.Seal(text, context)
		if err != nil {
			t.Fatal(err)
		}
		opened, err := ring.Open(sealed, context)
		if err != nil || !opened.Equal(text) {
			t.Fatalf("opened %q instead of %q: %v", opened.Reveal(), text.Reveal(), err)
		}
	})
}

func TestR32_NothingSealedIsReadableWithoutTheServerSecret(t *testing.T) {
	c := newCredential(t, "kw")
	sealed := seal(t, goldenKeyring(t), c.Whole().Reveal())
	for _, stored := range [][]byte{sealed.Ciphertext, sealed.WrappedDataKey} {
		if bytes.Contains(stored, []byte(c.PublicID())) || bytes.Contains(stored, []byte(c.SecretPart().Reveal()[:8])) {
			t.Error("plain text is stored")
		}
	}
	foreign := loadKeyring(t, 1, map[int]string{1: otherKey})
	if _, err := foreign.Open(sealed, here); !errors.Is(err, secret.ErrCannotOpen) {
		t.Errorf("opened under another server secret: %v", err)
	}
	without := loadKeyring(t, 2, map[int]string{2: goldenKey})
	if _, err := without.Open(sealed, here); err == nil || !strings.Contains(err.Error(), "version 1 of the server secret is not in the keyring") {
		t.Errorf("a version that is missing: %v", err)
	}
}

func TestSeal_EachValueHasItsOwnDataKey(t *testing.T) {
	ring := goldenKeyring(t)
	first, second := seal(t, ring, "same"), seal(t, ring, "same")
	if bytes.Equal(first.Ciphertext, second.Ciphertext) {
		t.Error("the same value is sealed the same way twice")
	}
	second.WrappedDataKey = first.WrappedDataKey
	if _, err := ring.Open(second, here); !errors.Is(err, secret.ErrCannotOpen) {
		t.Errorf("one data key opens two values: %v", err)
	}
}

func TestSeal_OpensOnlyInItsOwnContext(t *testing.T) {
	ring := goldenKeyring(t)
	sealed := seal(t, ring, "value")
	for _, context := range [][]byte{nil, {}, []byte("tn_1/key_2"), []byte("tn_2/key_1"), here[:9], append(bytes.Clone(here), 0)} {
		if _, err := ring.Open(sealed, context); !errors.Is(err, secret.ErrCannotOpen) {
			t.Errorf("opened with the context %q: %v", context, err)
		}
		sealed.KEKVersion = 1
		if _, err := loadKeyring(t, 2, map[int]string{1: goldenKey, 2: otherKey}).Rewrap(sealed, context); !errors.Is(err, secret.ErrCannotOpen) {
			t.Errorf("rewrapped with the context %q: %v", context, err)
		}
	}
	for _, context := range [][]byte{nil, {}} {
		if _, err := ring.Seal(secret.NewText("value"), context); err == nil {
			t.Error("sealed without a context")
		}
	}
}

func TestSeal_AnyChangedByteIsNoticed(t *testing.T) {
	ring := goldenKeyring(t)
	whole := seal(t, ring, golden)
	open := func(s secret.Sealed) error { _, err := ring.Open(s, here); return err }
	if err := open(whole); err != nil {
		t.Fatal(err)
	}
	for _, part := range []func(*secret.Sealed) *[]byte{
		func(s *secret.Sealed) *[]byte { return &s.Ciphertext },
		func(s *secret.Sealed) *[]byte { return &s.WrappedDataKey },
	} {
		original := *part(&whole)
		for i := range original {
			changed, cut := whole, whole
			*part(&changed) = bytes.Clone(original)
			(*part(&changed))[i] ^= 1 << (i % 8)
			if err := open(changed); !errors.Is(err, secret.ErrCannotOpen) {
				t.Fatalf("byte %d changed: %v", i, err)
			}
			*part(&cut) = original[:i]
			if err := open(cut); err == nil {
				t.Fatalf("cut to %d bytes: opened", i)
			}
		}
	}
}

func TestR35_WithoutItsDataKeyASealedValueIsGone(t *testing.T) {
	ring := goldenKeyring(t)
	sealed := seal(t, ring, "value")
	sealed.WrappedDataKey = nil
	if _, err := ring.Open(sealed, here); !errors.Is(err, secret.ErrDestroyed) {
		t.Errorf("opened: %v", err)
	}
	if _, err := ring.Rewrap(sealed, here); !errors.Is(err, secret.ErrDestroyed) {
		t.Errorf("rewrapped: %v", err)
	}
	// The data key of a later value, even of the same key, does not bring it back.
	sealed.WrappedDataKey = seal(t, ring, "later").WrappedDataKey
	if _, err := ring.Open(sealed, here); !errors.Is(err, secret.ErrCannotOpen) {
		t.Errorf("opened with another data key: %v", err)
	}
}

func TestR34_RewrappedValuesNeedTheOldVersionNoMore(t *testing.T) {
	sealed := seal(t, goldenKeyring(t), "value")
	both := loadKeyring(t, 2, map[int]string{1: goldenKey, 2: otherKey})
	if opened, err := both.Open(sealed, here); err != nil || opened.Reveal() != "value" {
		t.Fatalf("before: %v", err)
	}

	dataKeyOnly := secret.Sealed{KEKVersion: sealed.KEKVersion, WrappedDataKey: sealed.WrappedDataKey}
	rewrapped, err := both.Rewrap(dataKeyOnly, here)
	if err != nil || rewrapped.KEKVersion != 2 || rewrapped.Ciphertext != nil {
		t.Fatalf("rewrap: version %d, %v", rewrapped.KEKVersion, err)
	}
	again, err := both.Rewrap(rewrapped, here)
	if err != nil || !bytes.Equal(again.WrappedDataKey, rewrapped.WrappedDataKey) {
		t.Errorf("a second rewrap changed it: %v", err)
	}

	rewrapped.Ciphertext = sealed.Ciphertext
	newOnly := loadKeyring(t, 2, map[int]string{2: otherKey})
	if opened, err := newOnly.Open(rewrapped, here); err != nil || opened.Reveal() != "value" {
		t.Errorf("after: %v", err)
	}
}

func FuzzOpen(f *testing.F) {
	ring := goldenKeyring(f)
	sealed := seal(f, ring, "value")
	f.Add(sealed.WrappedDataKey, sealed.Ciphertext)
	f.Add([]byte{}, []byte{})
	f.Fuzz(func(t *testing.T, wrapped, ciphertext []byte) {
		opened, err := ring.Open(secret.Sealed{KEKVersion: 1, WrappedDataKey: wrapped, Ciphertext: ciphertext}, here)
		if err == nil && opened.Reveal() != "value" {
			t.Fatalf("opened %q", opened.Reveal())
		}
	})
}
