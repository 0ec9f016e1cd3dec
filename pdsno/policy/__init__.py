"""Policy documents: read strictly, compared for people, cut to what each tier needs."""
