export const defaultQuery = `# Control-Space completes, Control-Enter runs.
# The key goes into the bar above.

query Viewer {
  viewer {
    tenant {
      name
    }
  }
}
`;

const keySets = `# Key sets in force that expire within thirty
# days, soonest first. A duration counts from
# now, so the search stays true tomorrow.

query KeySets($first: Int = 20, $after: String) {
  keySets(
    first: $first
    after: $after
    filter: { status: { in: [ACTIVE] }, expiresAt: { lt: "P30D" } }
    orderBy: [{ field: EXPIRES_AT, direction: ASC }]
  ) {
    nodes {
      id
      name
      status
      expiresAt
      application {
        name
      }
      environment {
        name
      }
    }
    pageInfo {
      hasNextPage
      endCursor
    }
  }
}
`;

const events = `# What changes, live, newest message first.
# To resume, give the last cursor as $after:
# what was missed comes first.

subscription Events($after: String) {
  events(after: $after) {
    cursor
    kind
    isReplay
    event {
      id
      type
      occurredAt
      summary
    }
  }
}
`;

export const defaultTabs = [{ query: defaultQuery }, { query: keySets }, { query: events }];
