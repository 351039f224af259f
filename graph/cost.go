package graph

import (
	"context"
	"strings"

	"github.com/99designs/gqlgen/graphql"

	"github.com/keywright/keywright/internal/query"
)

// DefaultCostLimit is what an operation may cost unless told otherwise: a page of 100 key sets with all that a table
// shows of them costs two fifths of it, a page of 100 in a page of 100 more than it.
const DefaultCostLimit = 20_000

const (
	pageCost  = 10 // a page below one parent may be a statement of its own
	listCost  = 5  // lists without pages are short
	costLimit = 1 << 30
)

// costed is a schema whose fields cost what they can return: a page costs its size times what is selected of one object,
// so nested pages multiply. Everything else costs one.
type costed struct{ graphql.ExecutableSchema }

// Complexity implements graphql.ExecutableSchema.
func (c costed) Complexity(_ context.Context, typeName, field string, childComplexity int, rawArgs map[string]any) (int, bool) {
	definition := c.Schema().Types[typeName].Fields.ForName(field)
	if definition == nil {
		return 0, false
	}
	switch {
	case strings.HasSuffix(definition.Type.Name(), "Connection"):
		return bounded(pageCost + bounded(pageSize(rawArgs)*childComplexity)), true
	case rawArgs["ids"] != nil:
		return bounded(1 + listLength(rawArgs["ids"])*childComplexity), true
	case definition.Type.Elem != nil && childComplexity > 0 && !strings.HasSuffix(typeName, "Connection"):
		return bounded(1 + listCost*childComplexity), true
	}
	return 0, false
}

// bounded keeps products of products from overflowing.
func bounded(cost int) int { return min(cost, costLimit) }

// pageSize is how many objects a page can hold. A size that is refused later is counted as the largest.
func pageSize(arguments map[string]any) int {
	for _, name := range []string{"first", "last"} {
		if value, given := arguments[name]; given && value != nil {
			size, err := graphql.UnmarshalInt(value)
			if err != nil || size < 0 || size > query.MaxPageSize {
				size = query.MaxPageSize
			}
			return max(size, 1)
		}
	}
	return query.DefaultPageSize
}

func listLength(value any) int {
	if list, ok := value.([]any); ok {
		return len(list)
	}
	return query.MaxPageSize
}
