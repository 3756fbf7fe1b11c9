-- run: repeated
SELECT yb_fill_stores()
