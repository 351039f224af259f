// Mutations that put a new node into connections, take a deleted one out of them, and subscribe to an API safely.
graphql`
  mutation ApplicationEditsCreateMutation($input: CreateApplicationInput!, $connections: [ID!]!) {
    createApplication(input: $input) {
      application @prependNode(connections: $connections, edgeTypeName: "ApplicationEdge") {
        id
        name
        defaultKeySet {
          ...KeySetRow_keySet
        }
      }
      credentials {
        __typename
        ... on ApiKeyCredentials {
          apiKey
        }
      }
      userErrors {
        __typename
        code
        message
        path
      }
    }
  }
`;

graphql`
  mutation ApplicationEditsDeleteMutation($input: DeleteApplicationInput!, $connections: [ID!]!) {
    deleteApplication(input: $input) {
      deletedApplicationId @deleteEdge(connections: $connections) @deleteRecord
      userErrors {
        code
        message
        path
      }
    }
  }
`;

graphql`
  mutation ApplicationEditsSubscribeMutation($input: SubscribeToApiInput!, $retryKey: String!) {
    subscribeToApi(input: $input) @idempotent(key: $retryKey) {
      apiSubscription {
        id
        status
      }
      keySetAssignments {
        isReused
        keySet {
          ...KeySetRow_keySet
        }
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
  fragment ApplicationEdits_application on Application @updatable {
    name
    defaultKeySet {
      ...ApplicationEditsAssignable_keySet
    }
  }
`;

graphql`
  fragment ApplicationEditsAssignable_keySet on KeySet @assignable {
    __typename
  }
`;
