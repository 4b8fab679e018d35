package web

import (
	"context"
	"encoding/binary"
	"net/http"
	"time"

	"github.com/coder/websocket"

	"rhea/internal/audio"
)

// What a slow page costs: the queue's part of a second, and how long it may
// take nothing at all.
const (
	soundQueue = 4 // a second's parts
	soundStall = 10 * time.Second
)

// sound sends what the machine plays, from now on, as binary messages: 16-bit
// samples, left and right, lower byte first, of the rate that the state says.
// What a page is too slow for is left out.
func (s *Server) sound(w http.ResponseWriter, r *http.Request) {
	if s.c.Sound == nil {
		http.NotFound(w, r)
		return
	}
	ws, err := websocket.Accept(w, r, nil)
	if err != nil {
		return // it has answered
	}
	defer ws.CloseNow()
	q := audio.NewQueue(s.c.Sound.Rate() / soundQueue)
	var detach func()
	s.c.Do(func() { detach = s.c.Sound.Attach(q) })
	defer func() { s.c.Do(detach) }()
	ctx := ws.CloseRead(s.ctx) // a page says nothing here
	go func() {
		<-ctx.Done()
		q.Close()
	}()
	var frames [1024]audio.Frame
	var b [4 * len(frames)]byte
	for ctx.Err() == nil {
		n := q.Wait(frames[:])
		if n == 0 {
			return
		}
		for i, f := range frames[:n] {
			binary.LittleEndian.PutUint16(b[4*i:], uint16(f.L))
			binary.LittleEndian.PutUint16(b[4*i+2:], uint16(f.R))
		}
		if err := s.play(ctx, ws, b[:4*n]); err != nil {
			return
		}
	}
}

func (s *Server) play(ctx context.Context, ws *websocket.Conn, b []byte) error {
	ctx, cancel := context.WithTimeout(ctx, soundStall)
	defer cancel()
	return ws.Write(ctx, websocket.MessageBinary, b)
}
