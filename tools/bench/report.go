package main

import (
	"fmt"
	"io"
	"math"
	"os/exec"
	"runtime"
	"strings"
	"time"
)

// table is lines of cells; the first line is the head.
type table [][]string

func (t table) write(w io.Writer, markdown bool) {
	width := make([]int, len(t[0]))
	for _, line := range t {
		for i, c := range line {
			width[i] = max(width[i], len([]rune(c)))
		}
	}
	for n, line := range t {
		var cells []string
		for i, c := range line {
			pad := strings.Repeat(" ", width[i]-len([]rune(c)))
			if i == 0 {
				cells = append(cells, c+pad)
			} else {
				cells = append(cells, pad+c)
			}
		}
		if !markdown {
			fmt.Fprintln(w, strings.TrimRight(strings.Join(cells, "  "), " "))
			continue
		}
		fmt.Fprintf(w, "| %s |\n", strings.Join(cells, " | "))
		if n == 0 {
			for i := range cells {
				cells[i] = strings.Repeat("-", max(width[i]-1, 2)) + map[bool]string{true: "-", false: ":"}[i == 0]
			}
			fmt.Fprintf(w, "| %s |\n", strings.Join(cells, " | "))
		}
	}
}

func seconds(d time.Duration) string {
	switch s := d.Seconds(); {
	case s <= 0:
		return "–"
	case s < 0.1:
		return fmt.Sprintf("%.4f", s)
	case s < 10:
		return fmt.Sprintf("%.2f", s)
	default:
		return fmt.Sprintf("%.1f", s)
	}
}

func ratio(a, b time.Duration) (float64, string) {
	if a <= 0 || b <= 0 {
		return 0, "–"
	}
	r := float64(a) / float64(b)
	return r, fmt.Sprintf("%.2f", r)
}

func geometricMean(v []float64) float64 {
	sum := 0.0
	for _, x := range v {
		sum += math.Log(x)
	}
	return math.Exp(sum / float64(len(v)))
}

// report writes the tables and says how many rows QEMU is faster in.
func (b *bench) report(w io.Writer, chosen []session, markdown bool) (slower int) {
	t := table{{"medians of " + fmt.Sprint(b.n), "rhea CPU s", "QEMU CPU s", "rhea/QEMU", "rhea wall s", "QEMU wall s", "rhea/QEMU", "native CPU s", "rhea/native", "QEMU/native"}}
	ratios := map[kind][]float64{}
	for _, s := range chosen {
		for _, r := range s.rows {
			rhea, qemu := medianStamp(b.used[r.name]["rhea"]), medianStamp(b.used[r.name]["QEMU"])
			native := medianStamp(b.native[r.name])
			cpu, cpuText := ratio(rhea.cpu, qemu.cpu)
			wall, wallText := ratio(rhea.wall, qemu.wall)
			_, toNative := ratio(rhea.cpu, native.cpu)
			_, qemuToNative := ratio(qemu.cpu, native.cpu)
			t = append(t, []string{r.label, seconds(rhea.cpu), seconds(qemu.cpu), cpuText, seconds(rhea.wall), seconds(qemu.wall), wallText,
				seconds(native.cpu), toNative, qemuToNative})
			if cpu > 0 {
				ratios[r.kind] = append(ratios[r.kind], cpu)
			}
			if cpu > 1 || wall > 1 {
				slower++
			}
		}
	}
	if len(t) > 1 {
		t.write(w, markdown)
		fmt.Fprintln(w)
	}
	mean := table{{"geometric mean of rhea/QEMU, CPU seconds", "ratio", "rows"}}
	for _, g := range []struct {
		name  string
		kinds []kind
	}{
		{"all CPU rows", []kind{system, integer, floating}}, {"integer rows", []kind{integer}},
		{"floating-point and SIMD rows", []kind{floating}}, {"boots and processes", []kind{system}},
	} {
		var all []float64
		for _, k := range g.kinds {
			all = append(all, ratios[k]...)
		}
		if len(all) > 0 {
			mean = append(mean, []string{g.name, fmt.Sprintf("%.2f", geometricMean(all)), fmt.Sprint(len(all))})
		}
	}
	if len(mean) > 1 {
		mean.write(w, markdown)
		fmt.Fprintln(w)
	}
	other := table{{"other medians", "rhea", "QEMU"}}
	for _, what := range []string{idleCPU, screenIdle, screenRate, screenCPU, overhead} {
		if v := b.notes[what]; v != nil {
			line := []string{what}
			for _, e := range []string{"rhea", "QEMU"} {
				if len(v[e]) == 0 {
					line = append(line, "–")
					continue
				}
				line = append(line, fmt.Sprintf("%.1f", median(v[e])))
			}
			other = append(other, line)
		}
	}
	if len(other) > 1 {
		other.write(w, markdown)
		fmt.Fprintln(w)
	}
	fmt.Fprintf(w, "%s, %s, %d cores; %s; rhea %s\n", time.Now().UTC().Format("2006-01-02"), processor(), runtime.NumCPU(), b.qemuVersion(), revision())
	return slower
}

func (b *bench) qemuVersion() string {
	for _, e := range b.emulators {
		if e.name == "QEMU" {
			if out, err := exec.Command(e.bin, "--version").Output(); err == nil {
				line, _, _ := strings.Cut(string(out), "\n")
				return line
			}
		}
	}
	return "no QEMU"
}

func revision() string {
	out, err := exec.Command("git", "describe", "--always", "--dirty").Output()
	if err != nil {
		return "of unknown revision"
	}
	return strings.TrimSpace(string(out))
}
