package graph

import "github.com/keywright/keywright/internal/lifecycle"

// Notes: whoever loads a row tells the scope, which announces what the row refers to and what can be asked for of it, and
// keeps the row. They return the row's id.

func (s *scope) noteAPI(a *lifecycle.API) lifecycle.APIID {
	s.apis.put(a.ID, a)
	s.apis.announce(a.ID)
	s.organizations.announce(a.OrganizationID)
	return a.ID
}

func (s *scope) noteAPISubscription(a *lifecycle.APISubscription) lifecycle.APISubscriptionID {
	s.apiSubscriptions.put(a.ID, a)
	s.apiSubscriptions.announce(a.ID)
	s.apis.announce(a.APIID)
	s.applications.announce(a.ApplicationID)
	s.environments.announce(a.EnvironmentID)
	return a.ID
}

func (s *scope) noteApplication(a *lifecycle.Application) lifecycle.ApplicationID {
	s.applications.put(a.ID, a)
	s.applications.announce(a.ID)
	s.organizations.announce(a.OrganizationID)
	announce(s.groups.cohort, a.GroupID)
	announce(s.users.cohort, a.OwnerID)
	return a.ID
}

func (s *scope) noteApprovalRequest(r *lifecycle.ApprovalRequest) lifecycle.ApprovalRequestID {
	s.approvalRequests.put(r.ID, r)
	announce(s.groups.cohort, r.ApproverGroupID)
	s.announceNode(r.SubjectID)
	if r.Requester.Kind == lifecycle.ActorUser {
		s.users.announce(lifecycle.UserID(r.Requester.ID))
	}
	for _, d := range r.Decisions {
		s.users.announce(lifecycle.UserID(d.Decider.ID))
	}
	return r.ID
}

func (s *scope) noteBulkOperation(o *lifecycle.BulkOperation) lifecycle.BulkOperationID {
	s.bulkOperations.put(o.ID, o)
	for _, item := range o.Items {
		s.keySets.announce(item.SubjectID)
		if change := item.PolicyChange; change != nil {
			s.policies.announce(change.FromPolicyID, change.ToPolicyID)
		}
	}
	return o.ID
}

func (s *scope) noteEnvironment(e *lifecycle.Environment) lifecycle.EnvironmentID {
	s.environments.put(e.ID, e)
	return e.ID
}

func (s *scope) noteEvent(e *lifecycle.Event) lifecycle.EventID {
	s.events.put(e.ID, e)
	if e.Actor.Kind == lifecycle.ActorUser {
		s.users.announce(lifecycle.UserID(e.Actor.ID))
	}
	s.announceNode(e.SubjectID)
	return e.ID
}

func (s *scope) noteGateway(g *lifecycle.Gateway) lifecycle.GatewayID {
	s.gateways.put(g.ID, g)
	s.environments.announce(g.EnvironmentID)
	return g.ID
}

func (s *scope) noteGroup(g *lifecycle.Group) lifecycle.GroupID {
	s.groups.put(g.ID, g)
	s.organizations.announce(g.OrganizationID)
	return g.ID
}

func (s *scope) noteKey(k *lifecycle.Key) lifecycle.KeyID {
	s.keys.put(k.ID, k)
	s.keySets.announce(k.KeySetID)
	return k.ID
}

func (s *scope) noteKeySet(k *lifecycle.KeySet) lifecycle.KeySetID {
	s.keySets.put(k.ID, k)
	s.keySets.announce(k.ID)
	s.applications.announce(k.ApplicationID)
	s.environments.announce(k.EnvironmentID)
	s.policies.announce(k.PolicyID)
	announce(s.policies.cohort, k.NextPolicyID)
	return k.ID
}

func (s *scope) noteMilestone(m *lifecycle.Milestone) lifecycle.MilestoneID {
	s.milestones.put(m.ID, m)
	announce(s.keys.cohort, m.KeyID)
	announce(s.events.cohort, m.EventID)
	return m.ID
}

func (s *scope) noteNotification(n *lifecycle.Notification) lifecycle.NotificationID {
	s.notifications.put(n.ID, n)
	s.users.announce(n.RecipientID)
	return n.ID
}

func (s *scope) noteOrganization(o *lifecycle.Organization) lifecycle.OrganizationID {
	s.organizations.put(o.ID, o)
	s.organizations.announce(o.ID)
	return o.ID
}

func (s *scope) notePolicy(p *lifecycle.Policy) lifecycle.PolicyID {
	s.policies.put(p.ID, p)
	s.policyTemplates.announce(p.TemplateID)
	return p.ID
}

func (s *scope) notePolicyTemplate(p *lifecycle.PolicyTemplate) lifecycle.PolicyTemplateID {
	s.policyTemplates.put(p.ID, p)
	s.policyTemplates.announce(p.ID)
	return p.ID
}

func (s *scope) noteRequirement(r *lifecycle.AuthenticationRequirement) lifecycle.PolicyTemplateID {
	s.policyTemplates.announce(r.PolicyTemplateID)
	return r.PolicyTemplateID
}

func (s *scope) noteRole(r *lifecycle.Role) lifecycle.RoleID {
	s.roles.put(r.ID, r)
	return r.ID
}

func (s *scope) noteRoleAssignment(a *lifecycle.RoleAssignment) lifecycle.RoleAssignmentID {
	s.roleAssignments.put(a.ID, a)
	s.roles.announce(a.RoleID)
	s.users.announce(a.UserID)
	return a.ID
}

func (s *scope) noteTenant(t *lifecycle.Tenant) lifecycle.TenantID {
	s.tenants.put(t.ID, t)
	return t.ID
}

func (s *scope) noteUser(u *lifecycle.User) lifecycle.UserID {
	s.users.put(u.ID, u)
	s.users.announce(u.ID)
	announce(s.organizations.cohort, u.OrganizationID)
	return u.ID
}

func announce[K comparable](c *cohort[K], key *K) {
	if key != nil {
		c.announce(*key)
	}
}
