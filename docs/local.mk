dist_man_MANS += docs/yubin.1
EXTRA_DIST += docs/architecture.md docs/delivery.md docs/dependencies.md
