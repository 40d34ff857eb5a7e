# For fingers that type make; everything is done by ./run.
.PHONY: run test check bench

run test check bench:
	./run $(filter-out run,$@)
