module rhea

go 1.26
