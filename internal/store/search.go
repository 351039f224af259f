package store

import (
	"cmp"
	"fmt"
	"slices"
	"strings"
	"unicode"
	"unicode/utf8"

	"github.com/keywright/keywright/internal/lifecycle"
)

// Free text. Every word must stand somewhere in an object: in its own text or in that of a related one. Words of
// three characters and more are found anywhere by trigrams; shorter ones only where a name or an id begins.
//
// A word may stand in three objects or in all of them, and nobody knows before. The indexes list the first objects
// with the word, up to maxCandidates. When that is all of them, they are the ones to sort. When there are more, the
// list is read in its order instead, until a page of objects with the words is full, which is soon.
const (
	shortestInside = 3
	maxSearchWords = 10
	maxCandidates  = 1000
)

// search is free text in SQL.
type search struct {
	words      cond // every word stands somewhere: right for any row, but slow to find rows by
	candidates cond // SELECT of the keys of rows with the longest word, a few more than maxCandidates at most
	others     cond // the words other than the longest
}

// textIndex says what the text index of a table holds.
type textIndex struct {
	columns []string
	text    string // all of it, written as migration 0002 indexes it on PostgreSQL
}

func textIndexes() map[string]textIndex {
	return map[string]textIndex{
		"key_sets": {
			columns: []string{"id", "name", "public_identifier", "labels"},
			text:    `fold(key_sets.id || ' ' || key_sets.name || ' ' || key_sets.public_identifier || ' ' || label_text(key_sets.labels))`,
		},
		"applications": {
			columns: []string{"id", "name", "description"},
			text:    `fold(applications.id || ' ' || applications.name || ' ' || coalesce(applications.description, ''))`,
		},
		"apis": {
			columns: []string{"id", "name", "description"},
			text:    `fold(apis.id || ' ' || apis.name || ' ' || coalesce(apis.description, ''))`,
		},
		"organizations": {
			columns: []string{"id", "name"},
			text:    `fold(organizations.id || ' ' || organizations.name)`,
		},
		"users": {
			columns: []string{"id", "display_name", "email"},
			text:    `fold(users.id || ' ' || users.display_name || ' ' || coalesce(users.email, ''))`,
		},
		"api_subscriptions": {
			columns: []string{"id"},
			text:    `fold(api_subscriptions.id)`,
		},
	}
}

// source is one place where a word is looked for: columns of a table, and the way from there to the rows that are
// listed, as a template of conditions on the latter. An empty way means the listed table itself.
type source struct {
	table   string
	columns []string // nil: the whole text
	way     string   // "column IN (SELECT … ?)"; ? is the condition on the source
}

// find turns what a person typed into conditions on rows of the table; nil when it is nothing.
func (c *asking) find(table, typed string, sources []source) *search {
	if strings.TrimSpace(typed) == "" {
		return nil
	}
	defer c.enter("search")()
	if len(sources) == 0 {
		c.refuse(lifecycle.Invalid("this list has no free text"))
	}
	words := strings.Fields(fold(c.value(typed)))
	slices.SortFunc(words, func(a, b string) int { return cmp.Or(len(b)-len(a), strings.Compare(a, b)) })
	words = slices.Compact(words)
	if len(words) > maxSearchWords {
		c.refuse(lifecycle.Invalid(fmt.Sprintf("has %d words; at most %d are allowed", len(words), maxSearchWords)))
	}
	if c.refused != nil {
		return nil
	}
	stand := make([]cond, len(words))
	for i, word := range words {
		stand[i] = c.stands(word, sources)
	}
	found := &search{words: all(stand...), others: all(stand[1:]...)}
	if c.dialect == postgres || !strings.ContainsFunc(words[0], foldsOtherwise) {
		found.candidates = c.candidates(table, words[0], sources)
	}
	return found
}

// stands is the condition that a word stands in one of the sources of a row.
func (c *asking) stands(word string, sources []source) cond {
	var places []cond
	for _, s := range sources {
		switch {
		case s.way != "":
			places = append(places, c.along(s, word))
		case utf8.RuneCountInString(word) < shortestInside:
			places = append(places, c.holds(s, word))
		default:
			places = append(places, c.textHas(s.table, word))
		}
	}
	return either(places...)
}

// along is the condition that a row refers to a row of another table with the word.
func (c *asking) along(s source, word string) cond {
	return sqlf(s.way, c.own(s.table, c.holds(s, word)))
}

// candidates lists rows with the word. Each source is a query of its own, so that each is answered by its own index;
// joined by OR they would use none.
func (c *asking) candidates(table, word string, sources []source) cond {
	var union cond
	for _, s := range sources {
		where := c.holds(s, word)
		if s.way != "" {
			where = c.along(s, word)
		}
		found := sqlf("SELECT "+c.rowKey(table)+" AS row_key FROM "+table+" WHERE ?", c.own(table, where))
		if union == nil {
			union = found
			continue
		}
		union = sqlf("? UNION ALL ?", union, found)
	}
	return sqlf("SELECT c.row_key FROM (?) c LIMIT ?", union, maxCandidates+1)
}

// rowKey is what the text index knows a row by.
func (c *asking) rowKey(table string) string {
	if c.dialect == sqlite {
		return table + ".row_id"
	}
	return table + ".id"
}

// isCandidate looks rows up one by one: there are few.
func (c *asking) isCandidate(table string) cond {
	if c.dialect == sqlite {
		return sqlf(c.rowKey(table) + " IN (SELECT row_key FROM candidates)")
	}
	return sqlf(c.rowKey(table) + " = ANY (ARRAY(SELECT row_key FROM candidates))")
}

// holds is the condition that a row of a source has the word.
func (c *asking) holds(s source, word string) cond {
	whole := textIndexes()[s.table].columns
	columns := s.columns
	if columns == nil {
		columns = whole
	}
	if utf8.RuneCountInString(word) < shortestInside {
		return c.begins(s.table, columns, word)
	}
	if c.dialect == sqlite {
		return sqliteText(s.table, columns, word)
	}
	found := c.textHas(s.table, word)
	if len(columns) == len(whole) {
		return found
	}
	exact := make([]cond, len(columns))
	for i, column := range columns {
		exact[i] = sqlf("fold("+s.table+"."+column+") LIKE ? ESCAPE '\\'", "%"+escapeLike(word)+"%")
	}
	return all(found, either(exact...))
}

// textHas looks at the text of a row. On PostgreSQL an index answers it.
func (c *asking) textHas(table, word string) cond {
	text, pattern := textIndexes()[table].text, "%"+escapeLike(word)+"%"
	if c.dialect == postgres {
		return sqlf("("+text+` COLLATE "C") LIKE ? ESCAPE '\'`, pattern)
	}
	return sqlf(strings.Replace(text, "label_text(key_sets.labels)", sqliteLabels, 1)+` LIKE ? ESCAPE '\'`, pattern)
}

// sqliteLabels is what PostgreSQL's function label_text does.
const sqliteLabels = `coalesce((SELECT group_concat(json_extract(value, '$.name') || ' ' || json_extract(value, '$.value'), ' ') FROM json_each(key_sets.labels)), '')`

// sqliteText finds rows by their number. The word is a phrase in quotes, in which nothing but the quote is special.
func sqliteText(table string, columns []string, word string) cond {
	phrase := "{" + strings.Join(columns, " ") + `} : "` + strings.ReplaceAll(word, `"`, `""`) + `"`
	return sqlf(table+".row_id IN (SELECT rowid FROM "+table+"_text WHERE "+table+"_text MATCH ?)", phrase)
}

// hint is a condition that every row whose column has the folded text fulfills, and that the text index answers; nil
// when there is none.
func (c *asking) hint(column, folded string) cond {
	table, name, _ := strings.Cut(column, ".")
	if !slices.Contains(textIndexes()[table].columns, name) || utf8.RuneCountInString(folded) < shortestInside {
		return nil
	}
	if c.dialect == postgres {
		return c.textHas(table, folded)
	}
	if strings.ContainsFunc(folded, foldsOtherwise) {
		return nil
	}
	return sqliteText(table, []string{name}, folded)
}

// foldsOtherwise reports whether SQLite's trigrams may treat the case of a letter in another way than fold does. It
// knows fewer scripts, and no letter that becomes two.
func foldsOtherwise(r rune) bool {
	const lastOldScript = 0x52f // end of Cyrillic
	return r == '\u0307' || r > lastOldScript && unicode.SimpleFold(r) != r
}

// begins finds a word of one or two characters where a name or an id begins: by ranges of their indexes, one for
// each way to write the word in upper and lower case, as the index knows the case of ASCII only.
func (c *asking) begins(table string, columns []string, word string) cond {
	var ranges []cond
	for _, column := range columns {
		key := table + "." + column
		switch {
		case isName(key):
			for _, written := range spellings(word) {
				ranges = append(ranges, startsWith("lower("+key+")", written))
			}
		case column == "id":
			ranges = append(ranges, startsWith(key, word))
		}
	}
	return either(ranges...)
}

// startsWith is a range. Texts sort by their bytes, which is the order of their characters.
func startsWith(key, prefix string) cond {
	last, size := utf8.DecodeLastRuneInString(prefix)
	next := last + 1
	if 0xd800 <= next && next <= 0xdfff {
		next = 0xe000 // no text has surrogates
	}
	from := sqlf(key+" >= ?", prefix)
	if next > utf8.MaxRune {
		return from
	}
	return all(from, sqlf(key+" < ?", prefix[:len(prefix)-size]+string(next)))
}

// spellings lists the ways to write a short word, with ASCII in lower case.
func spellings(word string) []string {
	ways := []string{""}
	for _, r := range word {
		letters := []rune{asciiLowerRune(r)}
		for other := unicode.SimpleFold(r); other != r; other = unicode.SimpleFold(other) {
			if l := asciiLowerRune(other); !slices.Contains(letters, l) {
				letters = append(letters, l)
			}
		}
		var longer []string
		for _, way := range ways {
			for _, l := range letters {
				longer = append(longer, way+string(l))
			}
		}
		ways = longer
	}
	return ways
}

// What each noun with free text is found by.

func apiSources() []source {
	return []source{
		{table: "apis"},
		{table: "organizations", columns: []string{"name"}, way: "apis.organization_id IN (SELECT organizations.id FROM organizations WHERE ?)"},
	}
}

func apiSubscriptionSources() []source {
	return []source{
		{table: "api_subscriptions"},
		{table: "apis", columns: []string{"name"}, way: "api_subscriptions.api_id IN (SELECT apis.id FROM apis WHERE ?)"},
		{table: "applications", columns: []string{"name"}, way: "api_subscriptions.application_id IN (SELECT applications.id FROM applications WHERE ?)"},
	}
}

func applicationSources() []source {
	return []source{
		{table: "applications"},
		{table: "organizations", columns: []string{"name"}, way: "applications.organization_id IN (SELECT organizations.id FROM organizations WHERE ?)"},
		{table: "users", columns: []string{"display_name"}, way: "applications.owner_id IN (SELECT users.id FROM users WHERE ?)"},
	}
}

func userSources() []source { return []source{{table: "users"}} }

// keySetSources: within one application its own names would match all of its key sets, so there only the key set's
// own text counts.
func keySetSources(withinApplication bool) []source {
	sources := []source{{table: "key_sets"}}
	if withinApplication {
		return sources
	}
	return append(sources,
		source{table: "applications", columns: []string{"name"}, way: "key_sets.application_id IN (SELECT applications.id FROM applications WHERE ?)"},
		source{table: "users", columns: []string{"display_name"}, way: `key_sets.application_id IN (SELECT a.id FROM applications a
			JOIN users ON users.id = a.owner_id WHERE ?)`},
		source{table: "apis", columns: []string{"name"}, way: `key_sets.id IN (SELECT l.key_set_id FROM api_subscription_key_sets l
			JOIN api_subscriptions s ON s.id = l.subscription_id AND s.status NOT IN ('CANCELED', 'REJECTED')
			JOIN apis ON apis.id = s.api_id WHERE ?)`},
	)
}
