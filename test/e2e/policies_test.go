package e2e

import (
	"fmt"
	"testing"

	"github.com/keywright/keywright/internal/apptest"
)

// rule is an approval rule by anyone of a group.
func rule(group string, required int) vars {
	r := vars{"action": "REVOKE_KEY_SET", "mode": "ANYONE", "requiredApprovals": required}
	if group != "" {
		r["approverGroupId"] = group
	}
	return r
}

// group makes a group of users.
func (s *scene) group(t *testing.T, users ...string) string {
	t.Helper()
	return s.change(t, "createGroup", "group { id }", vars{"organizationId": s.org, "name": s.world.Name("Group"), "memberIds": users}).Text(t, "group", "id")
}

func TestBadInput_APolicyThatContradictsItselfIsRefusedWithThePath(t *testing.T) {
	apptest.Everywhere(t, func(t *testing.T, o apptest.Options) {
		s := newScene(t, o)
		idle, _ := s.world.User(t)
		approver, _ := s.world.User(t, "API Provider")
		empty, undecided, one := s.group(t), s.group(t, idle), s.group(t, idle, approver)
		automatic := func(interval, overlap string) vars {
			return vars{"mode": "AUTOMATIC", "interval": interval, "overlap": overlap}
		}
		before := s.Do(t, `query($id: ID!) { policyTemplates { totalCount } node(id: $id) { ... on PolicyTemplate { version revision } } }`, vars{"id": s.template})
		for what, c := range map[string]struct {
			input vars
			path  string
		}{
			"rotation longer than expiration":        {vars{"expiration": vars{"validity": "P30D"}, "rotation": automatic("P31D", "P1D")}, "[input rotation interval]"},
			"a rotation that is longer in summer":    {vars{"expiration": vars{"validity": "P90D"}, "rotation": automatic("P3M", "P1D")}, "[input rotation interval]"},
			"overlap longer than rotation":           {vars{"rotation": automatic("P7D", "P8D")}, "[input rotation overlap]"},
			"an overlap that is longer in January":   {vars{"rotation": automatic("P30D", "P1M")}, "[input rotation overlap]"},
			"no validity at all":                     {vars{"expiration": vars{"validity": "PT0S"}}, "[input expiration validity]"},
			"a validity that ends before it begins":  {vars{"expiration": vars{"validity": "-P1D"}}, "[input expiration validity]"},
			"a rotation all the time":                {vars{"rotation": automatic("PT0S", "PT0S")}, "[input rotation interval]"},
			"a rotation into the past":               {vars{"rotation": automatic("-P1D", "PT0S")}, "[input rotation interval]"},
			"an overlap that ends before it begins":  {vars{"rotation": automatic("P7D", "-P1D")}, "[input rotation overlap]"},
			"no time to claim":                       {vars{"claimWindow": "PT0S"}, "[input claimWindow]"},
			"a time to claim that is over":           {vars{"claimWindow": "-P1D"}, "[input claimWindow]"},
			"no time to decide":                      {vars{"approvals": []vars{{"action": "REVOKE_KEY_SET", "mode": "ANYONE", "requiredApprovals": 1, "timeout": "PT0S"}}}, "[input approvals 0 timeout]"},
			"nobody in the group":                    {vars{"approvals": []vars{rule(empty, 1)}}, "[input approvals 0 approverGroupId]"},
			"nobody in the group who may decide":     {vars{"approvals": []vars{rule(undecided, 1)}}, "[input approvals 0 approverGroupId]"},
			"more approvals than approvers":          {vars{"approvals": []vars{rule(one, 2)}}, "[input approvals 0 requiredApprovals]"},
			"more approvals than approvers anywhere": {vars{"approvals": []vars{rule("", 3)}}, "[input approvals 0 requiredApprovals]"},
			"all of nobody": {
				vars{"approvals": []vars{{"action": "REVOKE_KEY_SET", "mode": "ALL", "requiredApprovals": 1, "approverGroupId": undecided}}},
				"[input approvals 0 approverGroupId]",
			},
		} {
			create := vars{"name": s.world.Name("Policy"), "authenticationType": "API_KEY", "expiration": vars{}, "rotation": vars{"mode": "NONE"}}
			update := vars{"id": s.template}
			for name, value := range c.input {
				create[name], update[name] = value, value
			}
			for name, input := range map[string]vars{"createPolicyTemplate": create, "updatePolicyTemplate": update} {
				if e := s.refused(t, "INVALID", name, input); fmt.Sprint(e["path"]) != c.path {
					t.Errorf("%s: %s names %v, want %s", what, name, e["path"], c.path)
				}
			}
		}
		after := s.Do(t, `query($id: ID!) { policyTemplates { totalCount } node(id: $id) { ... on PolicyTemplate { version revision } } }`, vars{"id": s.template})
		if fmt.Sprint(after) != fmt.Sprint(before) {
			t.Errorf("P8: there was %v and is %v", before, after)
		}
	})
}

const warnings = "warnings { code message path } "

// warned lists warnings as texts such as "TOO_FEW_APPROVERS [approvals 0 requiredApprovals]".
func warned(t *testing.T, of object, path ...any) []string {
	t.Helper()
	all := []string{}
	for _, w := range of.List(t, append(path, "warnings")...) {
		w := object(w.(map[string]any))
		if w.Text(t, "message") == "" {
			t.Errorf("a warning without words: %v", w)
		}
		all = append(all, fmt.Sprintf("%s %v", w.Text(t, "code"), w["path"]))
	}
	return all
}

func TestBadInput_APolicyThatMayStrandAConsumerIsAcceptedWithAWarning(t *testing.T) {
	apptest.Everywhere(t, func(t *testing.T, o apptest.Options) {
		s := newScene(t, o)
		const late, sudden = "CLAIM_WINDOW_BEYOND_OVERLAP [claimWindow]", "ROTATION_WITHOUT_OVERLAP [rotation overlap]"
		automatic := func(overlap string) vars {
			return vars{"mode": "AUTOMATIC", "interval": "P90D", "overlap": overlap}
		}
		for what, c := range map[string]struct {
			input vars
			want  string
		}{
			"the window is longer than the overlap":     {vars{"rotation": automatic("P1D"), "claimWindow": "P7D"}, "[" + late + "]"},
			"the window may be longer than the overlap": {vars{"rotation": automatic("P30D"), "claimWindow": "P1M"}, "[" + late + "]"},
			"the default window is, too":                {vars{"rotation": automatic("P6D")}, "[" + late + "]"},
			"the window ends with the overlap":          {vars{"rotation": automatic("P7D"), "claimWindow": "P7D"}, "[]"},
			"the secret can be retrieved later":         {vars{"rotation": automatic("P1D"), "secretStorage": "ENCRYPTED"}, "[]"},
			"there is no overlap":                       {vars{"rotation": automatic("PT0S"), "secretStorage": "ENCRYPTED"}, "[" + sudden + "]"},
			"no rotation is planned":                    {vars{"rotation": vars{"mode": "NONE", "overlap": "PT0S"}, "claimWindow": "P30D"}, "[]"},
		} {
			input := vars{"name": s.world.Name("Policy"), "authenticationType": "API_KEY", "expiration": vars{}}
			for name, value := range c.input {
				input[name] = value
			}
			made := s.change(t, "createPolicyTemplate", warnings+"policyTemplate { id "+warnings+"}", input)
			if got := fmt.Sprint(warned(t, made)); got != c.want || fmt.Sprint(warned(t, made, "policyTemplate")) != c.want {
				t.Errorf("%s: warnings are %s, want %s", what, got, c.want)
			}
			update := vars{"id": made.Text(t, "policyTemplate", "id"), "rotation": automatic("PT0S")}
			if got := fmt.Sprint(warned(t, s.change(t, "updatePolicyTemplate", warnings, update))); got != "["+sudden+"]" {
				t.Errorf("%s, then there is no overlap any more: warnings are %s", what, got)
			}
		}
	})
}

func TestBadInput_AnApproverGroupThatBecomesTooSmallIsWarnedAbout(t *testing.T) {
	apptest.Everywhere(t, func(t *testing.T, o apptest.Options) {
		s := newScene(t, o)
		first, _ := s.world.User(t, "API Provider")
		second, _ := s.world.User(t, "API Provider")
		group := s.group(t, first, second)
		input := vars{"name": "Two eyes each", "authenticationType": "API_KEY", "expiration": vars{}, "rotation": vars{"mode": "NONE"}, "approvals": []vars{rule(group, 2)}}
		made := s.change(t, "createPolicyTemplate", warnings+"policyTemplate { id }", input)
		template := made.Text(t, "policyTemplate", "id")
		if got := warned(t, made); len(got) > 0 {
			t.Errorf("enough approvers: %v", got)
		}
		expect := func(what, want string) {
			t.Helper()
			read := s.Do(t, `query($id: ID!) { node(id: $id) { ... on PolicyTemplate { `+warnings+` } } }`, vars{"id": template})
			if got := fmt.Sprint(warned(t, read, "node")); got != want {
				t.Errorf("%s: warnings are %s, want %s", what, got, want)
			}
		}
		s.change(t, "deactivateUser", "", vars{"id": first})
		expect("one of two is left", "[TOO_FEW_APPROVERS [approvals 0 requiredApprovals]]")
		renamed := s.change(t, "updatePolicyTemplate", warnings, vars{"id": template, "name": "Four eyes"})
		if got := fmt.Sprint(warned(t, renamed)); got != "[TOO_FEW_APPROVERS [approvals 0 requiredApprovals]]" {
			t.Errorf("a change of something else: warnings are %s", got)
		}
		s.change(t, "revokeSignInKeys", "", vars{"userId": second})
		expect("the other one cannot sign in", "[TOO_FEW_APPROVERS [approvals 0 approverGroupId]]")
		s.change(t, "reactivateUser", "", vars{"id": first})
		s.change(t, "issueSignInKey", "", vars{"userId": first})
		s.change(t, "issueSignInKey", "", vars{"userId": second})
		expect("both are back", "[]")
	})
}
