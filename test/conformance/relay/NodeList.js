// Several objects of different types by their ids.
graphql`
  query NodeListQuery($ids: [ID!]!) {
    nodes(ids: $ids) {
      __typename
      id
      ... on Application {
        name
      }
      ... on KeySet {
        ...KeySetRow_keySet @alias(as: "keySet")
      }
      ... on Api {
        name
      }
    }
  }
`;
