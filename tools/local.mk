# Checks that need no build, or only `yubin`. What can break a promise runs in `make check` as well;
# `make lint` runs everything and reports sizes.
dist_check_SCRIPTS += tools/floors tools/banned tools/drift tools/roles
EXTRA_DIST += quickstart tools/quickstart.py tools/trial.py tools/tree.py tools/format tools/headers tools/sizes tools/events tools/install-packages

.PHONY: lint
lint: all
	@failed=; for check in floors banned headers events format; do \
	    $(top_srcdir)/tools/$$check || failed="$$failed $$check"; \
	done; \
	$(top_srcdir)/tools/drift . || test $$? = 77 || failed="$$failed drift"; \
	$(top_srcdir)/tools/roles . || test $$? = 77 || failed="$$failed roles"; \
	$(top_srcdir)/tools/sizes; \
	if test -n "$$failed"; then echo "lint: not fine:$$failed" >&2; exit 1; fi
