#!/bin/bash
set -e
cd /home/developer
git clone https://github.com/acme/fullstack-app.git app
cd app
# Backend
cd backend && npm ci && cd ..
# Frontend
cd frontend && npm ci && npm run build && cd ..
