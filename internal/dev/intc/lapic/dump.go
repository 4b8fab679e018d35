package lapic

import (
	"fmt"
	"io"
)

// modes are the delivery modes by their number (Figure 10-8, 10-12).
var modes = [8]string{"Fixed", "LowPri", "SMI", "...", "NMI", "INIT", "SIPI", "ExtINT"}

var lvtNames = [lvtCount]string{"LVTT", "LVTTHMR", "LVTPC", "LVT0", "LVT1", "LVTERR"}

var timerModes = [4]string{"one-shot", "periodic", "tsc-deadline", "..."}

// Dump writes the registers in words (the monitor's "info lapic").
func (a *APIC) Dump(w io.Writer) {
	pick := func(on bool, yes, no string) string {
		if on {
			return yes
		}
		return no
	}
	fmt.Fprintf(w, "dumping local APIC state for CPU %-2d\n\n", a.id)
	for _, n := range []int{lvtLINT0, lvtLINT1, lvtPerf, lvtError, lvtThermal, lvtTimer} {
		e := a.lvt[n]
		mode := ""
		if n == lvtTimer {
			mode = timerModes[e>>lvtModeShift&3]
		}
		fmt.Fprintf(w, "%s\t 0x%08x %s %-5s %-6s %-7s %-12s %-6s", lvtNames[n], e, pick(e&(1<<13) != 0, "active-lo", "active-hi"),
			pick(e&lvtLevel != 0, "level", "edge"), pick(e&lvtMasked != 0, "masked", ""), pick(e&(1<<12) != 0, "pending", ""),
			mode, modes[e>>8&7])
		if e>>8&7 != NMI {
			fmt.Fprintf(w, " (vec %d)", e&0xff)
		}
		fmt.Fprintln(w)
	}
	fmt.Fprintf(w, "Timer\t DCR=0x%x (divide by %d) initial_count = %d current_count = %d\n", a.divide, a.divider(), a.initCount, a.currentCount())
	fmt.Fprintf(w, "SPIV\t 0x%08x APIC %s, focus=%s, spurious vec %d\n", a.svr, pick(a.svr&svrEnable != 0, "enabled", "disabled"),
		pick(a.svr&(1<<9) != 0, "off", "on"), a.svr&0xff)
	icr := uint32(a.icr)
	fmt.Fprintf(w, "ICR\t 0x%08x %s %s %s %s\n", icr, pick(icr&(1<<11) != 0, "logical", "physical"), pick(icr&(1<<15) != 0, "level", "edge"),
		pick(icr&(1<<14) != 0, "assert", "de-assert"), [4]string{"no-shorthand", "self", "all", "all-self"}[icr>>18&3])
	fmt.Fprintf(w, "ICR2\t 0x%08x\nESR\t 0x%08x\n", uint32(a.icr>>32), a.esr)
	for _, v := range []struct {
		name string
		set  *vectors
	}{{"ISR", &a.isr}, {"IRR", &a.irr}} {
		fmt.Fprintf(w, "%s\t ", v.name)
		none := true
		for n := range 256 {
			if v.set.word(uint64(n/32))>>(n%32)&1 == 0 {
				continue
			}
			none = false
			fmt.Fprintf(w, "%d ", n)
			if a.tmr.word(uint64(n/32))>>(n%32)&1 != 0 {
				fmt.Fprint(w, "(level) ")
			}
		}
		fmt.Fprintln(w, pick(none, "(none)", ""))
	}
	fmt.Fprintf(w, "\nAPR 0x%02x TPR 0x%02x DFR 0x%02x LDR 0x%02x PPR 0x%02x\n\n", a.apr(), a.tpr, a.dfr>>28, a.ldr>>24, a.ppr())
}
