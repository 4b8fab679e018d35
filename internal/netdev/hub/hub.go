// Package hub is a hub: what comes in at one port goes out at all others
// ("-netdev hubport", and what 2009's "-net …,vlan=n" plugs into).
package hub

import (
	"fmt"
	"sync"

	"rhea/internal/netdev"
)

// Hub has any number of ports.
type Hub struct {
	mu    sync.RWMutex
	ports []*Port
}

// New returns a hub without ports.
func New() *Hub { return &Hub{} }

// Port is one port. It is a back end for the card whose Link is plugged in, or
// has a back end of the host plugged in.
type Port struct {
	hub  *Hub
	peer netdev.Peer
	back netdev.Backend
}

// Port adds a port.
func (h *Hub) Port() *Port {
	p := &Port{hub: h}
	h.mu.Lock()
	h.ports = append(h.ports, p)
	h.mu.Unlock()
	return p
}

// Join adds a port with a back end of the host's in it.
func (h *Hub) Join(b netdev.Backend) *Port {
	p := h.Port()
	b.Attach(p)
	h.mu.Lock()
	p.peer, p.back = b, b
	h.mu.Unlock()
	return p
}

// Attach implements netdev.Backend.
func (p *Port) Attach(peer netdev.Peer) {
	p.hub.mu.Lock()
	p.peer = peer
	p.hub.mu.Unlock()
}

// Deliver implements netdev.Peer: the frame goes to all other ports. Where
// there is just one, that says whether it has room; several cannot wait for
// the slowest.
func (p *Port) Deliver(frame []byte) bool {
	h := p.hub
	h.mu.RLock()
	defer h.mu.RUnlock()
	ok := true
	for _, o := range h.ports {
		if o != p && o.peer != nil {
			ok = o.peer.Deliver(frame)
		}
	}
	return ok || len(h.ports) != 2
}

// Wake implements netdev.Waker: who is plugged in here has room again.
func (p *Port) Wake() {
	h := p.hub
	h.mu.RLock()
	defer h.mu.RUnlock()
	for _, o := range h.ports {
		if w, ok := o.back.(netdev.Waker); ok && o != p {
			w.Wake()
		}
	}
}

// Describe implements netdev.Describer.
func (p *Port) Describe() string {
	h := p.hub
	h.mu.RLock()
	defer h.mu.RUnlock()
	return fmt.Sprintf("hub of %d ports", len(h.ports))
}

// Close implements netdev.Backend: it unplugs the port.
func (p *Port) Close() error {
	p.hub.mu.Lock()
	p.peer = nil
	p.hub.mu.Unlock()
	return nil
}
