package lifecycle

import "time"

// BulkErrorPolicy says what happens to the rest when one item of a bulk operation fails.
type BulkErrorPolicy string

// Values of BulkErrorPolicy.
const (
	AllOrNothing    BulkErrorPolicy = "ALL_OR_NOTHING"
	ContinueOnError BulkErrorPolicy = "CONTINUE_ON_ERROR"
)

// BulkItemStatus is the outcome of one item.
type BulkItemStatus string

// Values of BulkItemStatus.
const (
	ItemAwaitingApproval BulkItemStatus = "AWAITING_APPROVAL"
	ItemFailed           BulkItemStatus = "FAILED"
	ItemSkipped          BulkItemStatus = "SKIPPED"
	ItemSucceeded        BulkItemStatus = "SUCCEEDED"
)

// BulkOperationStatus is the outcome of the whole.
type BulkOperationStatus string

// Values of BulkOperationStatus.
const (
	BulkCompleted BulkOperationStatus = "COMPLETED"
	BulkRejected  BulkOperationStatus = "REJECTED"
)

// BulkOperation is what a bulk mutation did, item by item.
type BulkOperation struct {
	ID          BulkOperationID `bun:",pk"`
	TenantID    TenantID
	Requester   ActorRef `bun:"embed:"`
	ErrorPolicy BulkErrorPolicy
	IsDryRun    bool
	Status      BulkOperationStatus
	Items       []BulkOperationItem `bun:"type:jsonb"`
	CreatedAt   time.Time
	CompletedAt *time.Time
}

// BulkOperationItem is the outcome of one item.
type BulkOperationItem struct {
	SubjectID KeySetID       `json:"subjectId"`
	Status    BulkItemStatus `json:"status"`
	Refusals  []*Refusal     `json:"refusals,omitempty"`
	// PolicyChange is what the policy that is applied makes of the key set; null where none is.
	PolicyChange *PolicyChange `json:"policyChange,omitempty"`
}

// TotalCount is the number of items.
func (o BulkOperation) TotalCount() int { return len(o.Items) }

// SucceededCount is the number of items that were changed, or would be in a dry run.
func (o BulkOperation) SucceededCount() int { return o.Count(ItemSucceeded) }

// FailedCount is the number of items that could not be changed.
func (o BulkOperation) FailedCount() int { return o.Count(ItemFailed) }

// SkippedCount is the number of items that were passed over.
func (o BulkOperation) SkippedCount() int { return o.Count(ItemSkipped) }

// Count returns the number of items with the status.
func (o BulkOperation) Count(status BulkItemStatus) int {
	n := 0
	for _, item := range o.Items {
		if item.Status == status {
			n++
		}
	}
	return n
}
