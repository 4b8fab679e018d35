package system

import (
	"fmt"
	"io"
	"slices"
	"strings"

	"rhea/internal/catalog"
	"rhea/internal/firmware/load"
	"rhea/internal/trace"
)

// Version is the version of QEMU whose command line and protocols we speak,
// and ours.
const (
	QEMUVersion = "9.0.0"
	Version     = "0.1"
)

func setHelp(p *parser, _ string) error { return helpAsked{usage} }

func setVersion(p *parser, _ string) error { return helpAsked{nil} }

// VersionLine is what --version prints. Clients of QEMU read the first line
// of what a program of that name prints.
func VersionLine(program string) string {
	if strings.HasPrefix(program, "qemu-") {
		return fmt.Sprintf("QEMU emulator version %s (rhea %s)", QEMUVersion, Version)
	}
	return "rhea " + Version
}

// usage prints the table.
func usage(w io.Writer) {
	fmt.Fprintln(w, "usage: rhea system [options] [disk_image]")
	fmt.Fprintln(w, "'disk_image' is an image of hard disk 0. One or two dashes do.")
	table := Options()
	groups := map[Group][]Option{}
	for _, o := range table {
		groups[o.Group] = append(groups[o.Group], o)
	}
	var notYet []string
	for g := Standard; g <= Generic; g++ {
		title := false
		for _, o := range groups[g] {
			switch o.Status {
			case NotYet:
				notYet = append(notYet, "-"+o.Name)
			case Built:
				if !title {
					fmt.Fprintf(w, "\n%s options:\n", g)
					title = true
				}
				line := "-" + o.Name
				if o.Arg != "" {
					line += " " + o.Arg
				}
				if len(line) < 24 {
					fmt.Fprintf(w, "%-23s %s\n", line, o.Help)
				} else {
					fmt.Fprintf(w, "%s\n%24s%s\n", line, "", o.Help)
				}
			}
		}
	}
	slices.Sort(notYet)
	fmt.Fprintf(w, "\nNot supported yet:\n")
	wrap(w, notYet, 78)
	fmt.Fprintf(w, "\nDuring emulation with -nographic or mon:stdio: Ctrl-A h lists the keys, Ctrl-A x exits, Ctrl-A c is the monitor.\n")
}

func wrap(w io.Writer, words []string, width int) {
	line := ""
	for _, s := range words {
		if len(line)+1+len(s) > width {
			fmt.Fprintln(w, line)
			line = ""
		}
		if line != "" {
			line += " "
		}
		line += s
	}
	fmt.Fprintln(w, line)
}

func machineHelp(w io.Writer) {
	fmt.Fprintln(w, "Supported machines are:")
	for _, m := range catalog.Machines() {
		switch {
		case !m.Built:
		case m.Default:
			fmt.Fprintf(w, "%-20s %s (alias of %s)\n", m.Name, m.Desc, m.Alias)
			fmt.Fprintf(w, "%-20s %s (default)\n", m.Alias, m.Desc)
		default:
			fmt.Fprintf(w, "%-20s %s\n", m.Name, m.Desc)
		}
	}
}

func accelHelp(w io.Writer) {
	fmt.Fprintln(w, "Accelerators supported in QEMU binary:")
	for _, n := range catalog.Names(catalog.Accels()) {
		fmt.Fprintln(w, n)
	}
}

func cpuHelp(w io.Writer, target string) {
	fmt.Fprintln(w, "Available CPUs:")
	for _, m := range catalog.CPUs(target) {
		if m.Built {
			fmt.Fprintf(w, "x86 %-18s  %s\n", m.Name, m.Desc)
		}
	}
}

func chardevHelp(w io.Writer) { listHelp(w, "Available chardev backend types:", catalog.Chardevs()) }

func listHelp(w io.Writer, title string, list []catalog.Entry) {
	if title != "" {
		fmt.Fprintln(w, title)
	}
	for _, e := range list {
		if e.Built {
			fmt.Fprintln(w, strings.TrimRight(fmt.Sprintf("%-20s %s", e.Name, e.Desc), " "))
		}
	}
}

func deviceHelp(w io.Writer) {
	for _, g := range catalog.Groups() {
		title := false
		for _, d := range catalog.Devices() {
			if !d.Built || d.Group != g {
				continue
			}
			if !title {
				fmt.Fprintf(w, "%s devices:\n", g)
				title = true
			}
			fmt.Fprintf(w, "name %q, bus %s, desc %q\n", d.Name, d.Bus, d.Desc)
		}
		if title {
			fmt.Fprintln(w)
		}
	}
}

func logHelp(w io.Writer) {
	fmt.Fprintln(w, "Log items (comma separated):")
	for _, i := range trace.Items() {
		fmt.Fprintf(w, "%-15s %s\n", i.Name, i.Help)
	}
}

func firmwareHelp(w io.Writer, dirs []string) {
	for _, d := range (load.Search{Dirs: dirs}).Path() {
		fmt.Fprintln(w, d)
	}
}
