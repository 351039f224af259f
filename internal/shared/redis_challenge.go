package shared

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"
)

const (
	challengesKey = "kwc"
	// challengesTTL is how long a node that asks no more is remembered.
	challengesTTL = 10 * time.Second
	// maxReaders bounds what heads hold. Whoever comes when there are as many gets no answer.
	maxReaders   = 64
	readerLength = 13 // 65 random bits
)

// Challenge implements [State].
func (r *Redis) Challenge(ctx context.Context, asked time.Duration) error {
	number, err := checkChallenge(asked)
	if err != nil {
		return fmt.Errorf("challenge: %w", err)
	}
	isKept, err := r.challenge.Run(ctx, r.projection, []string{challengesKey},
		r.reader, formatPosition(number), challengesTTL.Milliseconds(), maxReaders).Bool()
	if err != nil {
		return fmt.Errorf("challenge: %w", err)
	}
	if !isKept {
		return errors.New("challenge: too many nodes ask")
	}
	return nil
}

// Challenges implements [State].
func (r *Redis) Challenges(ctx context.Context) (Challenges, error) {
	all, err := r.projection.HGetAll(ctx, challengesKey).Result()
	if err != nil {
		return "", fmt.Errorf("read challenges: %w", err)
	}
	var text strings.Builder
	for reader, value := range all {
		number, _, _ := strings.Cut(value, " ")
		if _, err := parsePosition(number); err != nil || len(reader) != readerLength {
			return "", fmt.Errorf("read challenges: %w", errMalformed)
		}
		if text.Len() > 0 {
			text.WriteByte(',')
		}
		text.WriteString(reader + ":" + number)
	}
	return Challenges(text.String()), nil
}
