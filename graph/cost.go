package graph

import (
	"context"
	"strings"
	"time"

	"github.com/99designs/gqlgen/graphql"

	"github.com/keywright/keywright/graph/scalar"
	"github.com/keywright/keywright/internal/lifecycle"
	"github.com/keywright/keywright/internal/query"
)

// DefaultCostLimit is what an operation may cost unless told otherwise: a page of 100 key sets with all that a table
// shows of them costs two fifths of it, a page of 100 in a page of 100 more than it.
const DefaultCostLimit = 20_000

const (
	pageCost = 10 // a page below one parent may be a statement of its own
	listCost = 5  // lists without pages are short
	// summaryCost keeps one operation from counting many times: a count looks at every key set that matches.
	summaryCost = 400
	costLimit   = 1 << 30
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
	case typeName == "KeySet" && field == "usage":
		return bounded(1 + bounded(max(1, usageBuckets(rawArgs)/listCost)*childComplexity)), true
	case typeName == "Query" && field == "keySetSummary":
		return summaryCost, true
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

// usageBuckets is how many buckets a series has; its list costs as much as a short one already. What is refused later is
// counted as the longest.
func usageBuckets(arguments map[string]any) int {
	bucket, err := scalar.UnmarshalDuration(arguments["bucket"])
	period, periodErr := scalar.UnmarshalDuration(arguments["period"])
	span, spanErr := lifecycle.NewUsageSpan(bucket, period, time.Time{})
	if err != nil || periodErr != nil || spanErr != nil {
		return int(lifecycle.UsageRetention / time.Hour)
	}
	return span.Count
}

func listLength(value any) int {
	if list, ok := value.([]any); ok {
		return len(list)
	}
	return query.MaxPageSize
}
