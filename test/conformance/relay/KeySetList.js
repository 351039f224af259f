// A list of key sets that loads page after page.
graphql`
  query KeySetListQuery($filter: KeySetFilter, $search: String) {
    ...KeySetList_query @arguments(filter: $filter, search: $search)
  }
`;

graphql`
  fragment KeySetList_query on Query
  @argumentDefinitions(
    filter: { type: "KeySetFilter" }
    search: { type: "String" }
    count: { type: "Int", defaultValue: 20 }
    cursor: { type: "String" }
  )
  @refetchable(queryName: "KeySetListPaginationQuery") {
    keySets(filter: $filter, search: $search, first: $count, after: $cursor)
      @connection(key: "KeySetList_keySets", filters: ["filter", "search"]) {
      edges {
        node {
          id
          ...KeySetRow_keySet
        }
      }
    }
  }
`;
