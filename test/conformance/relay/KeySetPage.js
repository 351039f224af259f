// One key set by its id, refetched through node, with two connections of its own.
graphql`
  query KeySetPageQuery($id: ID!) {
    node(id: $id) {
      __typename
      ...KeySetPage_keySet @alias(as: "keySet")
    }
  }
`;

graphql`
  fragment KeySetPage_keySet on KeySet @refetchable(queryName: "KeySetPageRefetchQuery") {
    ...KeySetRow_keySet
    ...KeySetPageKeys_keySet
    ...KeySetPageTimeline_keySet
    suspensionCause
    version
    milestones {
      kind
      plannedAt
      actualAt
      delay
      status
    }
  }
`;

graphql`
  fragment KeySetPageKeys_keySet on KeySet
  @argumentDefinitions(count: { type: "Int", defaultValue: 10 }, cursor: { type: "String" })
  @refetchable(queryName: "KeySetPageKeysPaginationQuery") {
    keys(first: $count, after: $cursor) @connection(key: "KeySetPageKeys_keys") {
      edges {
        node {
          id
          sequenceNumber
          status
          isLatest
          activatedAt
          expiresAt
        }
      }
    }
  }
`;

graphql`
  fragment KeySetPageTimeline_keySet on KeySet
  @argumentDefinitions(count: { type: "Int", defaultValue: 50 }, cursor: { type: "String" })
  @refetchable(queryName: "KeySetPageTimelinePaginationQuery") {
    events(first: $count, after: $cursor) @connection(key: "KeySetPageTimeline_events") {
      edges {
        node {
          id
          type
          occurredAt
          summary
          actor {
            displayName
          }
        }
      }
    }
  }
`;
