-- Whom to tell if a message for a user comes back from his server; NULL: nobody, or he has been.
ALTER TABLE reference ADD COLUMN returns TEXT;
