// Moves of a key set: the first with an optimistic answer, which the server's answer must fit.
graphql`
  mutation KeySetMovesSuspendMutation($input: SuspendKeySetInput!) @raw_response_type {
    suspendKeySet(input: $input) {
      keySet {
        id
        status
        suspensionCause
        version
      }
      userErrors {
        code
        message
        path
      }
    }
  }
`;

graphql`
  mutation KeySetMovesRevokeMutation($input: RevokeKeySetInput!) {
    revokeKeySet(input: $input) {
      keySet {
        id
        ...KeySetRow_keySet
      }
      userErrors {
        code
        ... on InvalidStatusTransitionError {
          currentStatus
          allowedActions
        }
      }
    }
  }
`;
