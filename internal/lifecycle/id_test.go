package lifecycle_test

import (
	"bytes"
	"crypto/rand"
	"slices"
	"strings"
	"testing"
	"time"

	"pgregory.net/rapid"

	"github.com/keywright/keywright/internal/lifecycle"
)

func TestIDs_AreTypeIDs(t *testing.T) {
	// The pair of the TypeID specification: 01890a5d-ac96-774b-bcce-b302099a8057.
	ids := lifecycle.IDs{
		Now:  func() time.Time { return time.UnixMilli(0x01890a5dac96) },
		Rand: bytes.NewReader([]byte{0x77, 0x4b, 0xbc, 0xce, 0xb3, 0x02, 0x09, 0x9a, 0x80, 0x57}),
	}
	if got := ids.New(lifecycle.KindKeySet); got != "ks_01h455vb4pex5vsknk084sn02q" {
		t.Errorf("id is %s", got)
	}
	// Version 7 and the variant are set whatever the randomness is.
	for fill, want := range map[byte]string{
		0x00: "key_0000000000e008000000000000", // 00000000-0000-7000-8000-000000000000
		0xff: "key_0000000000fzzvzzzzzzzzzzzz", // 00000000-0000-7fff-bfff-ffffffffffff
	} {
		ids := lifecycle.IDs{Now: func() time.Time { return time.UnixMilli(0) }, Rand: bytes.NewReader(bytes.Repeat([]byte{fill}, 10))}
		if got := ids.New(lifecycle.KindKey); got != want {
			t.Errorf("id is %s, want %s", got, want)
		}
	}
}

func TestIDs_SortByTimeAndNameTheirKind(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		kind := rapid.SampledFrom(lifecycle.AllKind()).Draw(t, "kind")
		times := rapid.SliceOfNDistinct(rapid.Int64Range(0, 1<<48-1), 2, 10, rapid.ID[int64]).Draw(t, "milliseconds")
		slices.Sort(times)
		var made []string
		for _, ms := range times {
			ids := lifecycle.IDs{Now: func() time.Time { return time.UnixMilli(ms) }, Rand: rand.Reader}
			id := ids.New(kind)
			if got, err := lifecycle.KindOf(id); got != kind || err != nil || len(id) != len(kind)+27 {
				t.Fatalf("%s is of kind %q (%v)", id, got, err)
			}
			made = append(made, id)
		}
		if !slices.IsSorted(made) {
			t.Fatalf("not in order of time: %v", made)
		}
	})
}

func TestIDs_DifferWithinOneMillisecond(t *testing.T) {
	ids := lifecycle.IDs{Now: func() time.Time { return start }, Rand: rand.Reader}
	seen := map[string]bool{}
	for range 1000 {
		seen[ids.New(lifecycle.KindEvent)] = true
	}
	if len(seen) != 1000 {
		t.Errorf("%d of 1000 ids differ", len(seen))
	}
}

func TestIDs_NothingGoesOnWithoutRandomness(t *testing.T) {
	defer func() {
		if recover() == nil {
			t.Error("an id was made")
		}
	}()
	lifecycle.IDs{Now: func() time.Time { return start }, Rand: strings.NewReader("short")}.New(lifecycle.KindKey)
}

func TestKindOf_RefusesWhatCannotBeOurs(t *testing.T) {
	const good = "01h455vb4pex5vsknk084sn02q"
	for _, id := range []string{
		"", "_", "ks", "ks_", good, "_" + good, "ks" + good, "ks_" + good[1:], "ks_" + good + "0", "xx_" + good, "KS_" + good,
		"ks__" + good[1:], "ks_8" + good[1:], "ks_" + strings.ToUpper(good), "ks_" + good[:25] + "i", "ks_" + good[:25] + "l",
		"ks_" + good[:25] + "o", "ks_" + good[:25] + "u", "ks_" + good[:25] + "-", "ks_" + good[:24] + "é", " ks_" + good, "ks_" + good + "\n",
	} {
		if kind, err := lifecycle.KindOf(id); err == nil || kind != "" {
			t.Errorf("%q is of kind %q", id, kind)
		}
	}
	if kind, err := lifecycle.KindOf("ks_7zzzzzzzzzzzzzzzzzzzzzzzzz"); err != nil || kind != lifecycle.KindKeySet {
		t.Errorf("the greatest id is of kind %q (%v)", kind, err)
	}
}

func TestKinds_HaveDistinctPrefixesWithoutUnderscore(t *testing.T) {
	seen := map[lifecycle.Kind]bool{}
	for _, k := range lifecycle.AllKind() {
		if seen[k] || k == "" || strings.ToLower(string(k)) != string(k) || strings.Contains(string(k), "_") {
			t.Errorf("prefix %q", k)
		}
		seen[k] = true
	}
}

func FuzzKindOf(f *testing.F) {
	for _, seed := range []string{"ks_01h455vb4pex5vsknk084sn02q", "", "_", "ks_", "key_8zzzzzzzzzzzzzzzzzzzzzzzzz", "\xff_\xff"} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, id string) {
		kind, err := lifecycle.KindOf(id)
		if err != nil {
			return
		}
		if rest, found := strings.CutPrefix(id, string(kind)+"_"); !found || len(rest) != 26 || !slices.Contains(lifecycle.AllKind(), kind) {
			t.Fatalf("%q is of kind %q", id, kind)
		}
	})
}
