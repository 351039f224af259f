package main

import (
	"io"
	"net/http"
	"sync"

	"github.com/coder/websocket"
)

// hub is the least that sends everybody the same: a goroutine and a channel for each socket.
type hub struct {
	mu    sync.Mutex
	boxes []chan []byte
}

func (h *hub) join(w http.ResponseWriter, r *http.Request) {
	conn, err := websocket.Accept(w, r, nil)
	if err != nil {
		return // Accept has answered
	}
	defer func() { _ = conn.CloseNow() }()
	box := make(chan []byte, 1024)
	h.mu.Lock()
	h.boxes = append(h.boxes, box)
	h.mu.Unlock()
	ctx := conn.CloseRead(r.Context())
	for {
		select {
		case message := <-box:
			if err := conn.Write(ctx, websocket.MessageText, message); err != nil {
				return
			}
		case <-ctx.Done():
			return
		}
	}
}

func (h *hub) broadcast(_ http.ResponseWriter, r *http.Request) {
	message, err := io.ReadAll(r.Body)
	if err != nil {
		return
	}
	h.mu.Lock()
	defer h.mu.Unlock()
	for _, box := range h.boxes {
		select {
		case box <- message:
		case <-r.Context().Done():
			return
		}
	}
}
