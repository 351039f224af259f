package main

import (
	"crypto/rand"
	"fmt"

	"github.com/keywright/keywright/internal/secret"
	"github.com/keywright/keywright/internal/testenv"
)

// measureValidate compares the validation endpoint with a bare handler that reads and writes JSON of the same size.
func measureValidate(b *bench) {
	b.group(func(b *bench) {
		bare := b.ask(b.start(b.itself(), partBare), "/echo", `"VALID"`, func(int, int) []byte { return presented(exampleCredential, "dev") })
		here := b.sqlite()
		server := b.keywright(here.data)
		scene := b.fill(server.Client)
		validate := func(want string, body request) side { return b.ask(server, "/v1/validate", want, body) }
		b.compare("validate: valid, state in the process", bare, validate(`"VALID"`, same(string(presented(scene.key, scene.slug)))))
		b.compare("validate: garbage", bare, validate(`"NOT_FOUND"`, same(string(presented("kw_garbage", scene.slug)))))
		b.compare("validate: unknown, another each time", bare, validate(`"NOT_FOUND"`, func(int, int) []byte {
			return presented(b.credential(), scene.slug)
		}))

		shared := b.sqlite()
		server = b.keywright(shared.data, "--redis", testenv.Redis(b))
		scene = b.fill(server.Client)
		b.compare("validate: valid, state in Redis", bare, validate(`"VALID"`, same(string(presented(scene.key, scene.slug)))))
	})
}

// exampleCredential is as long as a real one.
const exampleCredential = "kw_0000000000000000_00000000000000000000000000000000000000"

func presented(credential, slug string) []byte {
	return fmt.Appendf(nil, `{"credential": %q, "environmentSlug": %q}`, credential, slug)
}

// credential is a well-formed one that was never issued.
func (b *bench) credential() string {
	c, err := secret.NewCredential(rand.Reader, "kw")
	b.must(err)
	return c.Whole().Reveal()
}
