package vnc

import (
	"context"
	"errors"
	"net"
	"net/http"
	"time"

	"github.com/coder/websocket"
)

// maxFrame bounds a message of a websocket; RFB's own are shorter, and cut
// text comes in several.
const maxFrame = 64 << 10

// ServeWebSocket serves a client that speaks RFB in binary messages. Origins
// are patterns of further origins than the server's own.
func (s *Server) ServeWebSocket(w http.ResponseWriter, r *http.Request, origins ...string) {
	ws, err := websocket.Accept(w, r, &websocket.AcceptOptions{Subprotocols: []string{"binary"}, OriginPatterns: origins})
	if err != nil {
		return // it has answered
	}
	ws.SetReadLimit(maxFrame)
	s.ServeConn(websocket.NetConn(context.Background(), ws, websocket.MessageBinary))
}

// ServeWeb serves websockets on l, whatever their path, until the server is
// closed.
func (s *Server) ServeWeb(l net.Listener) error {
	s.mu.Lock()
	if s.closed {
		s.mu.Unlock()
		return l.Close()
	}
	s.closers[l] = true
	s.mu.Unlock()
	h := &http.Server{
		Handler:           http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { s.ServeWebSocket(w, r, "*") }),
		ReadHeaderTimeout: 10 * time.Second,
		MaxHeaderBytes:    16 << 10,
	}
	if err := h.Serve(l); !errors.Is(err, net.ErrClosed) {
		return err
	}
	return nil
}
