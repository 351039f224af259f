package store

import (
	"fmt"
	"slices"
	"strings"
	"unicode"
	"unicode/utf8"

	"github.com/keywright/keywright/internal/lifecycle"
)

// Free text. Every word must stand somewhere in an object: in its own text or in that of a related one. Words of
// three characters and more are found anywhere by trigrams; shorter ones only where a name or an id begins.
const (
	shortestInside = 3
	maxSearchWords = 10
)

// textIndex says what the text index of a table holds, the id first.
type textIndex struct {
	columns  []string
	postgres string // the indexed expression, as in migration 0002
}

func textIndexes() map[string]textIndex {
	return map[string]textIndex{
		"key_sets": {
			columns:  []string{"id", "name", "public_identifier", "labels"},
			postgres: `fold(key_sets.id || ' ' || key_sets.name || ' ' || key_sets.public_identifier || ' ' || label_text(key_sets.labels))`,
		},
		"applications": {
			columns:  []string{"id", "name", "description"},
			postgres: `fold(applications.id || ' ' || applications.name || ' ' || coalesce(applications.description, ''))`,
		},
		"apis": {
			columns:  []string{"id", "name", "description"},
			postgres: `fold(apis.id || ' ' || apis.name || ' ' || coalesce(apis.description, ''))`,
		},
		"organizations": {
			columns:  []string{"id", "name"},
			postgres: `fold(organizations.id || ' ' || organizations.name)`,
		},
		"users": {
			columns:  []string{"id", "display_name", "email"},
			postgres: `fold(users.id || ' ' || users.display_name || ' ' || coalesce(users.email, ''))`,
		},
		"api_subscriptions": {
			columns:  []string{"id"},
			postgres: `fold(api_subscriptions.id)`,
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

// find turns what a person typed into a condition on rows of the table. Each source is a subquery of its own, so
// that each is answered by its own index; joined by OR they would use none.
func (c *asking) find(table, typed string, sources []source) cond {
	if strings.TrimSpace(typed) == "" {
		return nil
	}
	defer c.enter("search")()
	if len(sources) == 0 {
		c.refuse(lifecycle.Invalid("this list has no free text"))
	}
	words := strings.Fields(fold(c.value(typed)))
	slices.Sort(words)
	words = slices.Compact(words)
	if len(words) > maxSearchWords {
		c.refuse(lifecycle.Invalid(fmt.Sprintf("has %d words; at most %d are allowed", len(words), maxSearchWords)))
	}
	if c.refused != nil {
		return no()
	}
	parts := make([]cond, len(words))
	for i, word := range words {
		parts[i] = c.findWord(table, word, sources)
	}
	return all(parts...)
}

func (c *asking) findWord(table, word string, sources []source) cond {
	key := table + ".id"
	if c.dialect == sqlite {
		key = table + ".row_id"
	}
	var union cond
	for _, s := range sources {
		where := c.holds(s, word)
		if s.way != "" {
			where = sqlf(s.way, c.own(s.table, where))
		}
		branch := sqlf("SELECT "+key+" FROM "+table+" WHERE ?", c.own(table, where))
		if union == nil {
			union = branch
			continue
		}
		union = sqlf("? UNION ?", union, branch)
	}
	return sqlf(key+" IN (?)", union)
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
	pattern := "%" + escapeLike(word) + "%"
	found := postgresText(s.table, pattern)
	if len(columns) == len(whole) {
		return found
	}
	exact := make([]cond, len(columns))
	for i, column := range columns {
		exact[i] = sqlf("fold("+s.table+"."+column+") LIKE ? ESCAPE '\\'", pattern)
	}
	return all(found, either(exact...))
}

func postgresText(table, pattern string) cond {
	return sqlf(`(`+textIndexes()[table].postgres+` COLLATE "C") LIKE ? ESCAPE '\'`, pattern)
}

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
		return postgresText(table, "%"+escapeLike(folded)+"%")
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
