package graph

import "github.com/keywright/keywright/graph/internal/gen"

// Resolver is the root of the resolvers: one small type for each type of the schema that has fields to resolve.
type Resolver struct{ Config }

var _ gen.ResolverRoot = (*Resolver)(nil)

type (
	apiResolver                       struct{ *Resolver }
	apiSubscriptionResolver           struct{ *Resolver }
	applicationResolver               struct{ *Resolver }
	approvalDecisionResolver          struct{ *Resolver }
	approvalRequestResolver           struct{ *Resolver }
	approvalRuleResolver              struct{ *Resolver }
	authenticationRequirementResolver struct{ *Resolver }
	bulkOperationResolver             struct{ *Resolver }
	bulkOperationItemResolver         struct{ *Resolver }
	environmentResolver               struct{ *Resolver }
	eventResolver                     struct{ *Resolver }
	gatewayResolver                   struct{ *Resolver }
	groupResolver                     struct{ *Resolver }
	keyResolver                       struct{ *Resolver }
	keySetResolver                    struct{ *Resolver }
	milestoneResolver                 struct{ *Resolver }
	notificationResolver              struct{ *Resolver }
	notificationRuleResolver          struct{ *Resolver }
	organizationResolver              struct{ *Resolver }
	policyResolver                    struct{ *Resolver }
	policyChangeResolver              struct{ *Resolver }
	policyTemplateResolver            struct{ *Resolver }
	queryResolver                     struct{ *Resolver }
	roleAssignmentResolver            struct{ *Resolver }
	tenantResolver                    struct{ *Resolver }
	tenantSettingsResolver            struct{ *Resolver }
	userResolver                      struct{ *Resolver }
	validationResolver                struct{ *Resolver }
	viewerResolver                    struct{ *Resolver }
)

// Api implements gen.ResolverRoot, as do the methods below.
func (r *Resolver) Api() gen.ApiResolver { return apiResolver{r} }

func (r *Resolver) ApiSubscription() gen.ApiSubscriptionResolver { return apiSubscriptionResolver{r} }
func (r *Resolver) Application() gen.ApplicationResolver         { return applicationResolver{r} }
func (r *Resolver) ApprovalDecision() gen.ApprovalDecisionResolver {
	return approvalDecisionResolver{r}
}

func (r *Resolver) ApprovalRequest() gen.ApprovalRequestResolver { return approvalRequestResolver{r} }
func (r *Resolver) ApprovalRule() gen.ApprovalRuleResolver       { return approvalRuleResolver{r} }
func (r *Resolver) AuthenticationRequirement() gen.AuthenticationRequirementResolver {
	return authenticationRequirementResolver{r}
}
func (r *Resolver) BulkOperation() gen.BulkOperationResolver { return bulkOperationResolver{r} }
func (r *Resolver) BulkOperationItem() gen.BulkOperationItemResolver {
	return bulkOperationItemResolver{r}
}
func (r *Resolver) Environment() gen.EnvironmentResolver   { return environmentResolver{r} }
func (r *Resolver) Event() gen.EventResolver               { return eventResolver{r} }
func (r *Resolver) Gateway() gen.GatewayResolver           { return gatewayResolver{r} }
func (r *Resolver) Group() gen.GroupResolver               { return groupResolver{r} }
func (r *Resolver) Key() gen.KeyResolver                   { return keyResolver{r} }
func (r *Resolver) KeySet() gen.KeySetResolver             { return keySetResolver{r} }
func (r *Resolver) Milestone() gen.MilestoneResolver       { return milestoneResolver{r} }
func (r *Resolver) Mutation() gen.MutationResolver         { return mutationResolver{r} }
func (r *Resolver) Notification() gen.NotificationResolver { return notificationResolver{r} }
func (r *Resolver) NotificationRule() gen.NotificationRuleResolver {
	return notificationRuleResolver{r}
}
func (r *Resolver) Organization() gen.OrganizationResolver     { return organizationResolver{r} }
func (r *Resolver) Policy() gen.PolicyResolver                 { return policyResolver{r} }
func (r *Resolver) PolicyChange() gen.PolicyChangeResolver     { return policyChangeResolver{r} }
func (r *Resolver) PolicyTemplate() gen.PolicyTemplateResolver { return policyTemplateResolver{r} }
func (r *Resolver) Query() gen.QueryResolver                   { return queryResolver{r} }
func (r *Resolver) RoleAssignment() gen.RoleAssignmentResolver { return roleAssignmentResolver{r} }
func (r *Resolver) Subscription() gen.SubscriptionResolver     { return subscriptionResolver{Resolver: r} }
func (r *Resolver) Tenant() gen.TenantResolver                 { return tenantResolver{r} }
func (r *Resolver) TenantSettings() gen.TenantSettingsResolver { return tenantSettingsResolver{r} }
func (r *Resolver) User() gen.UserResolver                     { return userResolver{r} }
func (r *Resolver) Validation() gen.ValidationResolver         { return validationResolver{r} }
func (r *Resolver) Viewer() gen.ViewerResolver                 { return viewerResolver{r} }
