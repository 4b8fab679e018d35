package user

import (
	"context"
	"encoding/binary"
	"errors"
	"io"
	"net"
	"net/netip"
	"strings"
	"time"

	"golang.org/x/net/dns/dnsmessage"
)

const (
	maxDNS     = 64 // questions that are being looked up
	dnsTimeout = 20 * time.Second
	dnsTTL     = 60 // seconds: the host's resolver does not tell
	udpAnswer  = 512
)

// resolve answers a DNS message with what the host's resolver says; limit is
// how long the answer may be. nil: it is no question.
func resolve(ctx context.Context, msg []byte, limit int) []byte {
	var p dnsmessage.Parser
	h, err := p.Start(msg)
	if err != nil || h.Response {
		return nil
	}
	q, err := p.Question()
	reply := dnsmessage.Header{ID: h.ID, Response: true, OpCode: h.OpCode, RecursionDesired: h.RecursionDesired, RecursionAvailable: true}
	if err != nil {
		reply.RCode = dnsmessage.RCodeFormatError
		return build(reply, nil, nil, limit)
	}
	if p.SkipAllQuestions() == nil && p.SkipAllAnswers() == nil && p.SkipAllAuthorities() == nil && limit == udpAnswer {
		limit = max(limit, extended(&p))
	}
	var answers []dnsmessage.ResourceBody
	switch {
	case h.OpCode != 0:
		reply.RCode = dnsmessage.RCodeNotImplemented
	case q.Class != dnsmessage.ClassINET:
		reply.RCode = dnsmessage.RCodeRefused
	default:
		answers, reply.RCode = lookup(ctx, q)
	}
	return build(reply, &q, answers, limit)
}

// extended is the size that the asker takes (EDNS, RFC 6891), at most what
// one frame holds.
func extended(p *dnsmessage.Parser) int {
	for {
		h, err := p.AdditionalHeader()
		if err != nil {
			return 0
		}
		if h.Type == dnsmessage.TypeOPT {
			return min(int(h.Class), 1232)
		}
		if p.SkipAdditional() != nil {
			return 0
		}
	}
}

// build makes the message; if it is longer than limit it has no answers, and
// says that there are some.
func build(h dnsmessage.Header, q *dnsmessage.Question, answers []dnsmessage.ResourceBody, limit int) []byte {
	for {
		m := dnsmessage.Message{Header: h}
		if q != nil {
			m.Questions = []dnsmessage.Question{*q}
			for _, a := range answers {
				m.Answers = append(m.Answers, dnsmessage.Resource{
					Header: dnsmessage.ResourceHeader{Name: q.Name, Class: dnsmessage.ClassINET, TTL: dnsTTL}, Body: a})
			}
		}
		b, err := m.Pack()
		switch {
		case err == nil && len(b) <= limit:
			return b
		case h.Truncated || len(answers) == 0:
			return nil
		}
		h.Truncated, answers = err == nil, nil
		if err != nil {
			h.RCode = dnsmessage.RCodeServerFailure
		}
	}
}

// lookup asks the host's resolver, which knows its files and its servers.
func lookup(ctx context.Context, q dnsmessage.Question) (list []dnsmessage.ResourceBody, code dnsmessage.RCode) {
	r := net.DefaultResolver
	name := q.Name.String()
	var err error
	add := func(b dnsmessage.ResourceBody) { list = append(list, b) }
	target := func(s string, use func(dnsmessage.Name)) {
		if n, nerr := dnsmessage.NewName(strings.TrimSuffix(s, ".") + "."); nerr == nil {
			use(n)
		}
	}
	switch q.Type {
	case dnsmessage.TypeA, dnsmessage.TypeAAAA:
		var all []netip.Addr
		// The host's files are searched for names without the dot at the end.
		if all, err = r.LookupNetIP(ctx, "ip", strings.TrimSuffix(name, ".")); err == nil {
			for _, a := range all {
				switch a = a.Unmap(); {
				case a.Is4() && q.Type == dnsmessage.TypeA:
					add(&dnsmessage.AResource{A: a.As4()})
				case a.Is6() && q.Type == dnsmessage.TypeAAAA:
					add(&dnsmessage.AAAAResource{AAAA: a.As16()})
				}
			}
		}
	case dnsmessage.TypePTR:
		addr, ok := reverse(name)
		if !ok {
			return nil, dnsmessage.RCodeNameError
		}
		var names []string
		names, err = r.LookupAddr(ctx, addr.String())
		for _, s := range names {
			target(s, func(n dnsmessage.Name) { add(&dnsmessage.PTRResource{PTR: n}) })
		}
	case dnsmessage.TypeCNAME:
		var s string
		if s, err = r.LookupCNAME(ctx, name); err == nil && !strings.EqualFold(s, name) {
			target(s, func(n dnsmessage.Name) { add(&dnsmessage.CNAMEResource{CNAME: n}) })
		}
	case dnsmessage.TypeTXT:
		var texts []string
		texts, err = r.LookupTXT(ctx, name)
		for _, s := range texts {
			add(&dnsmessage.TXTResource{TXT: pieces(s)})
		}
	case dnsmessage.TypeMX:
		var all []*net.MX
		all, err = r.LookupMX(ctx, name)
		for _, m := range all {
			target(m.Host, func(n dnsmessage.Name) { add(&dnsmessage.MXResource{Pref: m.Pref, MX: n}) })
		}
	case dnsmessage.TypeNS:
		var all []*net.NS
		all, err = r.LookupNS(ctx, name)
		for _, s := range all {
			target(s.Host, func(n dnsmessage.Name) { add(&dnsmessage.NSResource{NS: n}) })
		}
	case dnsmessage.TypeSRV:
		var all []*net.SRV
		_, all, err = r.LookupSRV(ctx, "", "", name)
		for _, s := range all {
			target(s.Target, func(n dnsmessage.Name) {
				add(&dnsmessage.SRVResource{Priority: s.Priority, Weight: s.Weight, Port: s.Port, Target: n})
			})
		}
	default:
		return nil, dnsmessage.RCodeNotImplemented
	}
	var d *net.DNSError
	switch {
	case err == nil || len(list) > 0:
		return list, dnsmessage.RCodeSuccess
	case errors.As(err, &d) && d.IsNotFound:
		return nil, dnsmessage.RCodeNameError
	}
	return nil, dnsmessage.RCodeServerFailure
}

// pieces cuts a text into strings of at most 255 bytes.
func pieces(s string) (list []string) {
	for len(s) > 255 {
		list, s = append(list, s[:255]), s[255:]
	}
	return append(list, s)
}

// reverse reads a name below in-addr.arpa or ip6.arpa.
func reverse(name string) (netip.Addr, bool) {
	name = strings.ToLower(strings.TrimSuffix(name, "."))
	if s, ok := strings.CutSuffix(name, ".in-addr.arpa"); ok {
		l := strings.Split(s, ".")
		if len(l) != 4 {
			return netip.Addr{}, false
		}
		a, err := netip.ParseAddr(l[3] + "." + l[2] + "." + l[1] + "." + l[0])
		return a, err == nil
	}
	if s, ok := strings.CutSuffix(name, ".ip6.arpa"); ok {
		l := strings.Split(s, ".")
		if len(l) != 32 {
			return netip.Addr{}, false
		}
		var b strings.Builder
		for i := range l {
			if i > 0 && i%4 == 0 {
				b.WriteByte(':')
			}
			b.WriteString(l[31-i])
		}
		a, err := netip.ParseAddr(b.String())
		return a, err == nil
	}
	return netip.Addr{}, false
}

// serveDNS answers the questions of one client.
func (n *Network) serveDNS(c net.Conn, read func([]byte) (int, error)) {
	buf := make([]byte, 4096)
	for {
		c.SetReadDeadline(time.Now().Add(dnsTimeout))
		k, err := read(buf)
		if err != nil {
			return
		}
		if !n.dnsQ.take(maxDNS) {
			continue // it asks again
		}
		msg := append([]byte(nil), buf[:k]...)
		go func() {
			defer n.dnsQ.give()
			ctx, cancel := context.WithTimeout(context.Background(), dnsTimeout)
			defer cancel()
			if a := resolve(ctx, msg, udpAnswer); a != nil {
				c.Write(a)
			}
		}()
	}
}

// serveDNSStream is serveDNS over TCP (RFC 1035, section 4.2.2), one question
// after the other.
func (n *Network) serveDNSStream(c net.Conn) {
	defer c.Close()
	for {
		c.SetDeadline(time.Now().Add(2 * dnsTimeout))
		var head [2]byte
		if _, err := io.ReadFull(c, head[:]); err != nil {
			return
		}
		msg := make([]byte, binary.BigEndian.Uint16(head[:]))
		if _, err := io.ReadFull(c, msg); err != nil {
			return
		}
		ctx, cancel := context.WithTimeout(context.Background(), dnsTimeout)
		a := resolve(ctx, msg, 65535)
		cancel()
		if a == nil {
			return
		}
		if _, err := c.Write(append(binary.BigEndian.AppendUint16(nil, uint16(len(a))), a...)); err != nil {
			return
		}
	}
}
