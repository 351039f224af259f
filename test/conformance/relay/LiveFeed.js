// Live operations; what they bring updates the rows on the screen.
graphql`
  subscription LiveFeedSubscription($after: String, $filter: EventFilter) {
    events(after: $after, filter: $filter) {
      cursor
      kind
      isReplay
      event {
        id
        type
        occurredAt
        summary
        subject {
          __typename
          ... on KeySet {
            ...KeySetRow_keySet @alias(as: "keySet")
          }
        }
      }
    }
  }
`;

graphql`
  subscription LiveFeedKeySetsSubscription($after: String, $filter: KeySetFilter) {
    keySets(after: $after, filter: $filter) {
      cursor
      kind
      change
      keySet {
        ...KeySetRow_keySet
      }
    }
  }
`;
