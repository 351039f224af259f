// One row of the list, also what live changes bring anew.
graphql`
  fragment KeySetRow_keySet on KeySet {
    name
    status
    expiresAt
    application {
      name
      organization {
        name
      }
    }
    environment {
      slug
      isProduction
    }
    viewerActions {
      action
      isAvailable
      unavailableReason
    }
  }
`;
