package tcg

import (
	"fmt"

	"rhea/internal/ir"
	"rhea/internal/trace"
)

// This file tells people and profilers what machine code there is.

// logOptimized logs a unit as whoever makes code of it has left it.
func (v *VCPU) logOptimized(code *ir.Unit) {
	if v.log.On(trace.OpOpt) {
		v.log.Printf(trace.OpOpt, "OP after optimization:\n%s\n", code)
	}
}

// logCode logs a unit's machine code.
func (n *coder) logCode(l *trace.Log, u *unit, page uint64) {
	if !l.On(trace.OutAsm) {
		return
	}
	l.Printf(trace.OutAsm, "OUT: [size=%d]\n", u.native.size)
	n.c.Disassemble(n.code.RW, u.native.at, u.native.size, uint64(n.code.RX), page, func(at uint64, code []byte, text string) {
		l.Printf(trace.OutAsm, "0x%08x:  %-30x %s\n", at, code, text)
	})
	l.Printf(trace.OutAsm, "\n")
}

// mapCode adds a unit to the map for profilers. Its name has the linear
// address, since in real mode many programs begin at the same offset.
func (n *coder) mapCode(v *VCPU, u *unit, page uint64) {
	if v.cfg.PerfMap != nil {
		fmt.Fprintf(v.cfg.PerfMap, "%x %x tb-%x\n", n.address(u), u.native.size, (page+u.key.PC+u.key.Base)&v.vaMask)
	}
}

// mapStubs adds what all units share.
func (n *coder) mapStubs(v *VCPU) {
	if v.cfg.PerfMap != nil {
		fmt.Fprintf(v.cfg.PerfMap, "%x %x tb-stubs\n", uint64(n.code.RX), n.first)
	}
}
