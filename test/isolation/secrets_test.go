package isolation

import (
	"bufio"
	"context"
	"encoding/base64"
	"encoding/hex"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/redis/go-redis/v9"

	"github.com/keywright/keywright/internal/apptest"
)

// vault collects the secrets that were shown, and what was said where none may be.
type vault struct {
	*tenant
	secrets map[string]string // by what they are
	said    strings.Builder
}

// secretPart is the length of what nobody may guess at the end of every credential, without its checksum.
const (
	secretPart = 32
	checksum   = 6
)

// keep notes a credential that a payload showed.
func (v *vault) keep(t *testing.T, what, credential string) {
	t.Helper()
	if len(credential) < secretPart+checksum {
		t.Fatalf("%s is not a credential: %q", what, credential)
	}
	v.secrets[what] = credential[len(credential)-secretPart-checksum : len(credential)-checksum]
}

// ask sends an operation whose answer may show nothing.
func (v *vault) ask(t *testing.T, who apptest.Client, document string, values vars) {
	t.Helper()
	v.said.WriteString(who.Send(t, document, values).Body + "\n")
}

const shownCredentials = "credentials { ... on ApiKeyCredentials { apiKey } ... on BasicCredentials { username password } ... on OAuthClientCredentials { clientId clientSecret } }"

func (v *vault) keepShown(t *testing.T, what string, shown any) (secret, public string) {
	t.Helper()
	c, _ := shown.(map[string]any)
	o := apptest.Object(c)
	for _, member := range []string{"apiKey", "password", "clientSecret"} {
		if o[member] != nil {
			v.keep(t, what, o.Text(t, member))
			secret = o.Text(t, member)
		}
	}
	for _, member := range []string{"username", "clientId"} {
		if o[member] != nil {
			public = o.Text(t, member)
		}
	}
	if secret == "" {
		t.Fatalf("%s: no secret in %v", what, shown)
	}
	return secret, public
}

// TestR31_NoSecretIsFoundWhereNoneMayBe uses the server in every way that touches secrets, and then searches for each of them
// in all that the server wrote and said (P7).
func TestR31_NoSecretIsFoundWhereNoneMayBe(t *testing.T) {
	apptest.Everywhere(t, func(t *testing.T, o apptest.Options) {
		server := apptest.Start(t, o)
		v := &vault{tenant: newTenant(t, server.Client, "aardvark"), secrets: map[string]string{}}
		v.keep(t, "the operator's key", server.Key)
		v.keep(t, "the administrator's key", v.Key)
		v.keep(t, "an API key", v.apiKey)
		heard := v.listen(t)
		for _, storage := range []string{"HASHED", "ENCRYPTED"} {
			for _, authenticationType := range []string{"API_KEY", "BASIC", "OAUTH2_CLIENT"} {
				v.busy(t, authenticationType, storage)
			}
		}
		v.signIns(t)
		v.awaitMail(t)
		v.said.WriteString(heard())
		v.search(t, "the answers and the delivered events", v.said.String())
		v.search(t, "the log", server.Logs.String())
		if o.Redis {
			v.search(t, "Redis", redisText(t, server.Config.Redis))
		}
		if o.Postgres {
			v.search(t, "PostgreSQL", postgresText(t, server.Config.Database))
		}
		server.Stop(t)
		v.searchFiles(t, server.Config.Data)
		v.searchMails(t, filepath.Join(server.Config.Data, "mail"))
		v.search(t, "the log at the end", server.Logs.String())
		t.Logf("%d secrets", len(v.secrets))
	})
}

// awaitMail waits until nothing is to be mailed any more.
func (v *vault) awaitMail(t *testing.T) {
	t.Helper()
	const counts = `{ sent: notifications(filter: {status: {eq: SENT}}) { totalCount } waiting: notifications(filter: {status: {eq: QUEUED}}) { totalCount } }`
	for deadline := time.Now().Add(30 * time.Second); ; time.Sleep(20 * time.Millisecond) {
		found := v.Do(t, counts, nil)
		if found.Get("waiting", "totalCount") == 0.0 && found.Get("sent", "totalCount").(float64) > 6 {
			return
		}
		if time.Now().After(deadline) {
			t.Fatalf("mails: %v", found)
		}
	}
}

// searchMails searches mails as their readers see them.
func (v *vault) searchMails(t *testing.T, folder string) {
	t.Helper()
	files, err := filepath.Glob(filepath.Join(folder, "*.eml"))
	if err != nil || len(files) < 2 {
		t.Fatalf("%d mails were written (%v)", len(files), err)
	}
	for _, file := range files {
		data, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		letter := apptest.ReadLetter(t, string(data))
		v.search(t, "a mail", fmt.Sprint(letter.Header, letter.Subject, letter.Text, letter.HTML))
	}
}

// busy leads a key set of one type through its life, and has its secret stand where it should not.
func (v *vault) busy(t *testing.T, authenticationType, storage string) {
	t.Helper()
	what := authenticationType + " " + storage
	input := vars{
		"applicationId": v.ids["Application"], "environmentId": v.ids["Environment"], "authenticationType": authenticationType,
		"policyTemplateId": v.template(t, authenticationType, storage), "name": v.name("key set"),
	}
	document := fmt.Sprintf(`mutation($i: CreateKeySetInput!) { createKeySet(input: $i) @idempotent(key: %q) { keySet { id } %s userErrors { code path message } } }`, what, shownCredentials)
	made := v.Do(t, document, vars{"i": input})
	id := made.Text(t, "createKeySet", "keySet", "id")
	secret, public := v.keepShown(t, what, made.Get("createKeySet", "credentials"))
	if again, _ := v.keepShown(t, what, v.Do(t, document, vars{"i": input}).Get("createKeySet", "credentials")); again != secret {
		t.Errorf("%s: the retry shows another secret", what)
	}
	v.misuse(t, secret, public)
	if storage == "ENCRYPTED" {
		retrieved := v.change(t, "retrieveCredentials", vars{"id": id}, shownCredentials)
		if again, _ := v.keepShown(t, what, retrieved["credentials"]); again != secret {
			t.Errorf("%s: another secret was retrieved", what)
		}
	} else {
		v.ask(t, v.Client, `mutation($id: ID!) { retrieveCredentials(input: {id: $id}) { `+shownCredentials+` userErrors { code message } } }`, vars{"id": id})
	}
	fresh := v.change(t, "regenerateKeySet", vars{"id": id, "overlap": "PT1H"}, shownCredentials)
	secret, public = v.keepShown(t, what+", regenerated", fresh["credentials"])
	v.misuse(t, secret, public)
	v.ask(t, v.Client, `query($id: ID!) { keySet(id: $id) { name keys { nodes { hint publicIdentifier } } events { nodes { summary changes { property before after } } } } }`, vars{"id": id})
	v.ask(t, v.Client, `mutation($id: ID!) { revokeKeySet(input: {id: $id}) { keySet { status } userErrors { code } } }`, vars{"id": id})
}

// misuse puts a secret into every place where people put secrets by mistake.
func (v *vault) misuse(t *testing.T, secret, public string) {
	t.Helper()
	question := vars{"credential": secret}
	if public != "" {
		question["publicIdentifier"] = public
	}
	if got := v.Verdict(t, question); got != "VALID" {
		t.Errorf("the credential is %s", got)
	}
	v.ask(t, v.Client, `query($i: ValidateCredentialsInput!) { validateCredentials(input: $i) { isValid code key { publicIdentifier hint } } }`, vars{"i": question})
	wrong := "a" + secret[1:]
	if secret[0] == 'a' {
		wrong = "b" + secret[1:]
	}
	v.Verdict(t, vars{"credential": wrong})
	for _, document := range []string{
		`{ validateCredentials(input: {credential: ` + secret + `}) { code } }`, `{ viewer "` + secret + `" { tenant { id } } }`, `{ ` + secret + ` { id } }`,
		`{ keySets(filter: {status: {eq: ` + secret + `}}) { nodes { id } } }`, `{ keySets(` + secret + `: 1) { nodes { id } } }`, `{ viewer { ...` + secret + ` } }`,
		`{ node(id: "` + secret + `") { ... on ` + secret + ` { id } } }`, `query($` + secret + `: Int) { viewer { tenant { id } } }`, `query($a: ` + secret + `) { viewer { tenant { id } } }`,
		`{ viewer @` + secret + ` { tenant { id } } }`, `{ viewer { tenant { id } } } "` + secret, `{ keySets(after: "` + secret + `") { nodes { id } } }`, `{ keySet(id: "` + secret + `") { id } }`,
	} {
		v.ask(t, v.Client, document, nil)
	}
	v.ask(t, v.Client, `query($s: KeySetStatus) { keySets(filter: {status: {eq: $s}}) { nodes { id } } }`, vars{"s": secret})
	v.ask(t, v.Client, `query($s: DateTimeOrDuration) { keySets(filter: {createdAt: {gt: $s}}) { nodes { id } } }`, vars{"s": secret})
	v.ask(t, v.Client, `mutation($i: CreateUserInput!) { createUser(input: $i) { userErrors { message } } }`, vars{"i": vars{"displayName": "x", "email": secret}})
	v.ask(t, v.Client, `mutation($i: CreateUserInput!) { createUser(input: $i) { userErrors { message } } }`, vars{"i": vars{"displayName": "x", secret: "x"}})
	for _, r := range []rawRequest{
		{method: "POST", path: "/graphql", header: map[string]string{"Content-Type": "application/json"}, body: `{"query":"` + secret},
		{method: "POST", path: "/graphql", header: map[string]string{"Content-Type": "text/plain"}, body: secret},
		{method: "GET", path: "/graphql?query=" + secret + "&access_token=" + secret},
		{method: "GET", path: "/graphql?query=%7B__typename%7D&api_key=" + secret},
		{method: "GET", path: "/v1/validate?credential=" + secret},
		{method: "GET", path: "/?key=" + secret},
		{method: "GET", path: "/healthz?key=" + secret},
		{method: "POST", path: "/v1/validate", header: map[string]string{"Content-Type": "application/json"}, body: `{"credential":"` + secret + `","x":1`},
		{method: "POST", path: "/v1/validate", header: map[string]string{"Content-Type": "application/json", "Authorization": "Bearer " + secret}, body: `{}`},
		{method: "POST", path: "/graphql", header: map[string]string{"Content-Type": "application/json", "Authorization": "Bearer " + secret}, body: `{}`},
		{method: "POST", path: "/graphql", header: map[string]string{"Content-Type": secret, "Accept": secret, "Authorization": secret}, body: `{}`},
		{method: "GET", path: "/metrics"},
	} {
		_, body := r.send(t, v.Client)
		v.said.WriteString(body + "\n")
	}
}

// signIns issues sign-in keys and uses them wrongly.
func (v *vault) signIns(t *testing.T) {
	t.Helper()
	document := `mutation($id: ID!) { issueSignInKey(input: {userId: $id}) @idempotent(key: "k") { signInKey userErrors { code } } }`
	key := v.Do(t, document, vars{"id": v.ids["User"]}).Text(t, "issueSignInKey", "signInKey")
	v.keep(t, "a sign-in key", key)
	if again := v.Do(t, document, vars{"id": v.ids["User"]}).Text(t, "issueSignInKey", "signInKey"); again != key {
		t.Error("the retry shows another sign-in key")
	}
	v.ask(t, v.As(key), `{ viewer { user { displayName } credentialExpiresAt } }`, nil)
	v.ask(t, v.As(key), `{ keySets { nodes { id } } }`, nil)
	v.change(t, "revokeSignInKeys", vars{"userId": v.ids["User"]}, "revokedCount")
	v.Verdict(t, vars{"credential": key})
	_, metrics := rawRequest{method: "GET", path: "/metrics"}.send(t, v.Client)
	v.said.WriteString(metrics)
}

// listen takes in all events that are delivered until the result is called.
func (v *vault) listen(t *testing.T) func() string {
	t.Helper()
	start := v.Do(t, `{ events(first: 1) { nodes { cursor } } }`, nil).Text(t, "events", "nodes", 0, "cursor")
	s := &setup{contract: readContract(t)}
	var heard strings.Builder
	var mu sync.Mutex
	var reading sync.WaitGroup
	for _, stream := range []string{
		`subscription($a: String) { events(after: $a) { kind event { type summary comment changes { property before after } } } }`,
		`subscription($a: String) { keySets(after: $a) { kind event { type summary changes { property before after } } keySet { name latestKey { hint publicIdentifier } } } }`,
	} {
		lines := s.openEventStream(t, v.Client, stream, vars{"a": start})
		var own strings.Builder
		reading.Add(1)
		go func(lines *bufio.Scanner) {
			defer reading.Done()
			for lines.Scan() && !strings.Contains(lines.Text(), "the last key set") {
				own.WriteString(lines.Text() + "\n")
			}
			mu.Lock()
			defer mu.Unlock()
			heard.WriteString(own.String())
		}(lines)
	}
	return func() string {
		v.change(t, "updateKeySet", vars{"id": v.ids["KeySet"], "name": "the last key set"}, "keySet { id }")
		reading.Wait()
		if !strings.Contains(heard.String(), "KEY_SET_REGENERATED") {
			t.Errorf("nothing was heard: %s", short(heard.String()))
		}
		return heard.String()
	}
}

// search looks for every secret as it is, and as it looks in hexadecimal and in base 64.
func (v *vault) search(t *testing.T, where, text string) {
	t.Helper()
	if len(text) == 0 {
		t.Errorf("there is nothing in %s", where)
	}
	lower := strings.ToLower(text)
	for what, secret := range v.secrets {
		at := strings.Index(text, secret)
		if at < 0 {
			at = strings.Index(lower, hex.EncodeToString([]byte(secret)))
		}
		for shift := range 3 { // where in the encoded text the secret begins is not known
			if at < 0 {
				at = strings.Index(text, base64.RawStdEncoding.EncodeToString([]byte(secret[shift:]))[:36])
			}
		}
		if at >= 0 {
			t.Errorf("%s stands in %s: …%q…", what, where, text[max(0, at-150):min(len(text), at+60)])
		}
	}
}

// searchFiles reads every byte of the data folder but the one file that has the administrator's key on purpose.
func (v *vault) searchFiles(t *testing.T, folder string) {
	t.Helper()
	files := 0
	err := filepath.WalkDir(folder, func(path string, entry fs.DirEntry, err error) error {
		if err != nil || entry.IsDir() || entry.Name() == "admin.key" {
			return err
		}
		text, err := os.ReadFile(path)
		if err == nil && len(text) > 0 {
			files++
			v.search(t, entry.Name(), string(text))
		}
		return err
	})
	if err != nil || files == 0 {
		t.Errorf("%d files: %v", files, err)
	}
}

// postgresText is every row of every table.
func postgresText(t *testing.T, url string) string {
	t.Helper()
	ctx := t.Context()
	conn, err := pgx.Connect(ctx, url)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = conn.Close(context.WithoutCancel(ctx)) }()
	tables := postgresColumn(t, conn, `SELECT format('%I.%I', schemaname, tablename) FROM pg_tables WHERE schemaname NOT IN ('pg_catalog', 'information_schema')`)
	if len(tables) < 20 {
		t.Errorf("only %d tables", len(tables))
	}
	var all strings.Builder
	for _, table := range tables {
		all.WriteString(strings.Join(postgresColumn(t, conn, "SELECT t::text FROM "+table+" t"), "\n"))
	}
	return all.String()
}

func postgresColumn(t *testing.T, conn *pgx.Conn, statement string) []string {
	t.Helper()
	rows, err := conn.Query(t.Context(), statement)
	if err != nil {
		t.Fatal(err)
	}
	all, err := pgx.CollectRows(rows, pgx.RowTo[string])
	if err != nil {
		t.Fatalf("%s: %v", statement, err)
	}
	return all
}

// redisText is every key and its value.
func redisText(t *testing.T, url string) string {
	t.Helper()
	options, err := redis.ParseURL(url)
	if err != nil {
		t.Fatal(err)
	}
	client := redis.NewClient(options)
	defer func() { _ = client.Close() }()
	var all strings.Builder
	keys := client.Scan(t.Context(), 0, "*", 1000).Iterator()
	for keys.Next(t.Context()) {
		key := keys.Val()
		value := []any{client.Get(t.Context(), key).Val(), client.HGetAll(t.Context(), key).Val(), client.SMembers(t.Context(), key).Val()}
		value = append(value, client.ZRange(t.Context(), key, 0, -1).Val(), client.LRange(t.Context(), key, 0, -1).Val())
		fmt.Fprintln(&all, key, value)
	}
	if err := keys.Err(); err != nil {
		t.Fatal(err)
	}
	return all.String()
}
